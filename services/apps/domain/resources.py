"""Changes of an app's container: its resources, and the variables that it is to have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from services.apps.domain.config import AppConfig
from services.common.core.parsing import Patch

_STORED = {"memory": "memory_mb", "cores": "cores", "disk_size": "disk_gb"}  # names in states of operations


@dataclass(frozen=True, kw_only=True)
class ResourceChanges(Patch):
    """Changes of memory in MB, cores, and GB of the root disk."""

    memory: int | None = None
    cores: int | None = None
    disk_size: int | None = None

    def select_former(self, config: AppConfig) -> ResourceChanges:
        """Return what a configuration has of that which changes."""
        return ResourceChanges(**{name: getattr(config, name) for name in self.given})

    def is_more_than(self, config: AppConfig) -> bool:
        """Whether the app takes more of anything than before."""
        return any((value or 0) > (getattr(config, name) or 0) for name, value in vars(self).items())

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> ResourceChanges:
        """Parse the state of an operation."""
        return cls(**{name: record.get(stored) for name, stored in _STORED.items()})

    def to_json(self) -> dict[str, Any]:
        """Render the state of an operation, without what stays as it is."""
        values = ((stored, getattr(self, name)) for name, stored in _STORED.items())
        return {stored: value for stored, value in values if value is not None}


@dataclass(frozen=True, kw_only=True)
class ContainerUpdate:
    """Changes that an update makes in a container, without any value.

    Attributes:
        has_environment: the environment changes.
        dropped, added: names of the variables that go and come with it.
    """

    resources: ResourceChanges = field(default_factory=ResourceChanges)
    has_environment: bool = False
    dropped: tuple[str, ...] = ()
    added: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> ContainerUpdate:
        """Parse the state of an operation."""
        return cls(
            resources=ResourceChanges.from_json(record),
            has_environment=bool(record.get("has_environment")),
            dropped=tuple(record.get("dropped") or ()),
            added=tuple(record.get("added") or ()),
        )

    def to_json(self) -> dict[str, Any]:
        """Render the state of an operation; the names are those of the release before."""
        names = {"has_environment": True, "dropped": list(self.dropped), "added": list(self.added)}
        return {**self.resources.to_json(), **(names if self.has_environment else {})}
