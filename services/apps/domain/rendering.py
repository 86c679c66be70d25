"""Stored renderings: the catalog item that runs in an app, without values."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.apps.domain.config import split_record
from services.clients.catalog.values import ItemCredentials, ItemProbe


@dataclass(frozen=True, kw_only=True)
class AppRendering:
    """Definition that runs in an app, and the network of its container; empty for an adopted one.

    Attributes:
        compose: the definition, with references in place of values.
        version: of the item, for people.
        image, entrypoint: of an app whose image is the container.
        mounts: path and GB of each volume of an image; 0: the default.
        devices: of the node that the container gets.
        runtime_reason: why it does not run as it was requested.
        network_cidr, vlan, bridge, gateway, nameservers: network that its container was created with.
        without_values: digest of the definition that is known to have no values in it.
        unknown: records that a later release has stored; written back as they are.
    """

    compose: str = ""
    version: str = ""
    images: tuple[str, ...] = ()
    image: str = ""
    entrypoint: str = ""
    probe: ItemProbe | None = None
    credentials: ItemCredentials | None = None
    mounts: tuple[tuple[str, int], ...] = ()
    devices: tuple[str, ...] = ()
    runtime_reason: str = ""
    network_cidr: str = ""
    vlan: int = 0
    bridge: str = ""
    gateway: str = ""
    nameservers: tuple[str, ...] = ()
    without_values: str = ""
    unknown: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> AppRendering:
        """Parse the record of an app; what it lacks is empty."""
        known, unknown = split_record(record, _PARSERS, is_set=bool)
        return cls(**known, unknown=unknown)

    def to_json(self) -> dict[str, Any]:
        """Render the record for the database, without what is empty."""
        values = ((name, getattr(self, name)) for name in _PARSERS)
        return {**self.unknown, **{name: _render(value) for name, value in values if value}}

    @property
    def is_without_values(self) -> bool:
        """Whether the definition is known to have no values in it."""
        return self.without_values == self._name_definition()

    def mark_without_values(self) -> AppRendering:
        """Note that the definition has references in place of every value."""
        # The note names the definition: a release that knows nothing of it may write another one, values and all.
        return dataclasses.replace(self, without_values=self._name_definition())

    def _name_definition(self) -> str:
        return hashlib.sha256(self.compose.encode()).hexdigest()[:16]


def _parse_probe(record: Mapping[str, Any]) -> ItemProbe:
    return ItemProbe(
        scheme=str(record.get("scheme") or ""),
        port=int(record.get("port") or 0),
        path=str(record.get("path") or ""),
        grace_s=int(record.get("grace_s") or 0),
    )


def _parse_credentials(record: Mapping[str, Any]) -> ItemCredentials:
    return ItemCredentials(
        username=str(record.get("username") or ""),
        password=str(record.get("password") or ""),
        change=str(record.get("change") or ""),
    )


def _parse_mounts(record: list[list[Any]]) -> tuple[tuple[str, int], ...]:
    return tuple((str(path), int(size)) for path, size in record)


_PARSERS: Mapping[str, Callable[[Any], object]] = {
    **dict.fromkeys(("compose", "version", "image", "entrypoint"), str),
    **dict.fromkeys(("runtime_reason", "network_cidr", "bridge", "gateway", "without_values"), str),
    **dict.fromkeys(("images", "devices", "nameservers"), tuple),
    "vlan": int,
    "mounts": _parse_mounts,
    "probe": _parse_probe,
    "credentials": _parse_credentials,
}


def _render(value: object) -> object:
    return dataclasses.asdict(value) if isinstance(value, ItemProbe | ItemCredentials) else value
