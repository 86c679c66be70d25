"""domain -> protobuf: items, each rendered once per state."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from proximity.catalog.v1 import catalog_service_pb2 as pb
from proximity.catalog.v1 import item_pb2

from services.catalog.domain.entities import (
    OWN_SOURCE,
    Input,
    Item,
    ItemSource,
    PortSpec,
    ReadinessProbe,
    VolumeSpec,
)
from services.catalog.domain.pictures import has_icon, list_screenshots
from services.catalog.domain.renderer.interpolation import InterpolationError, interpolate_text
from services.catalog.domain.yaml_text import write_yaml
from services.common.rpc.responses.rendered import Form, render, render_list

FULL, SUMMARY = "full", "summary"
_Piece = tuple[str, Form]
_Detail = Literal[
    "docker_compose", "ports", "volumes", "environment", "inputs", "images", "probe", "default_credentials", "notes",
    "screenshots", "release_notes", "license", "documentation", "source_code",
]  # fmt: skip
_DETAILS: tuple[_Detail, ...] = get_args(_Detail)


def render_item(item: Item) -> item_pb2.Item:
    """Render an item with all fields."""
    resources = item.resources
    message = item_pb2.Item(
        id=item.id,
        name=item.name,
        version=item.version,
        description=item.description,
        icon=render_icon(item),
        category=item.category,
        docker_compose=write_yaml(dict(item.compose)),
        ports=[render_port(port) for port in item.ports],
        volumes=[render_volume(volume) for volume in item.volumes],
        environment={i.name: "" if i.secret else i.default or "" for i in item.inputs},
        min_memory=round(resources.memory.minimum),
        min_cpu=resources.cpu.minimum,
        tags=item.tags,
        author=item.author,
        website=item.website,
        inputs=[render_input(i) for i in item.inputs],
        images=item.images,
        runtimes=item.runtimes,
        revision=item.revision,
        source=item.source,
        recommended_memory=round(resources.memory.recommended),
        min_disk=round(resources.disk.minimum),
        architectures=item.architectures,
        license=item.license,
        documentation=item.documentation,
        default_credentials=_render_credentials(item),
        recommended_cpu=resources.cpu.recommended,
        recommended_disk=round(resources.disk.recommended),
        screenshots=render_screenshots(item),
        notes=item.notes,
        source_code=item.source_code,
        sources=[_render_source(one) for one in item.sources],
        release_notes=item.release_notes,
    )
    if item.added_at:
        message.added_at.FromDatetime(item.added_at)
    if probe := render_probe(item.probe, item.main_port):
        message.probe.CopyFrom(probe)
    return message


def summarize(message: item_pb2.Item) -> item_pb2.Item:
    """Return an item without the fields that only its own page shows."""
    summary = item_pb2.Item()
    summary.CopyFrom(message)
    for name in _DETAILS:
        summary.ClearField(name)
    return summary


def _render_source(source: ItemSource) -> item_pb2.ItemSource:
    return item_pb2.ItemSource(app_id=source.item_id, source=source.source, version=source.version)


def render_icon(item: Item) -> str:
    """Return the address of an item's icon, empty where it has none."""
    is_served = item.source == OWN_SOURCE or has_icon(item)
    return f"/api/catalog/{item.id}/icon" if is_served else ""


def render_screenshots(item: Item) -> list[str]:
    """Return the addresses of an item's screenshots."""
    count = len(list_screenshots(item))
    return [f"/api/catalog/{item.id}/screenshots/{number}" for number in range(1, count + 1)]


def render_port(port: PortSpec) -> item_pb2.ItemPort:
    """Render a port."""
    return item_pb2.ItemPort(
        port=port.container, protocol=port.protocol, purpose=port.purpose, main=port.main
    )


def render_volume(volume: VolumeSpec) -> item_pb2.ItemVolume:
    """Render a volume."""
    return item_pb2.ItemVolume(
        name=volume.name, path=volume.path, purpose=volume.purpose, backup=volume.backup
    )


def render_input(item_input: Input) -> item_pb2.ItemInput:
    """Render an input; the default of a secret one is not shown."""
    message = item_pb2.ItemInput(
        name=item_input.name,
        label=item_input.label,
        type=item_input.type.value,
        required=item_input.required,
        pattern=item_input.pattern or "",
        help=item_input.help,
        choices=[choice.value for choice in item_input.choices],
        secret=item_input.secret,
        generated=item_input.generate is not None,
        minimum=item_input.minimum,
        maximum=item_input.maximum,
        unit=item_input.unit or None,
        options=[item_pb2.ItemChoice(value=one.value, label=one.label) for one in item_input.choices],
    )
    if item_input.default is not None and not item_input.secret:
        message.default = item_input.default
    return message


def render_probe(probe: ReadinessProbe, main: PortSpec | None) -> item_pb2.ItemProbe | None:
    """Render a probe of the main port as it is inside the container, or None without one."""
    if probe.kind == "none" or main is None:
        return None
    return item_pb2.ItemProbe(
        scheme=probe.scheme if probe.kind == "http" else "tcp",
        port=main.container,
        path=probe.path if probe.kind == "http" else "",
        grace_s=probe.grace_seconds,
    )


def _render_credentials(item: Item) -> str:
    known = item.credentials
    if known is None:
        return ""
    username, password = (_describe(text, item) for text in (known.username, known.password))
    parts = [f"User {username}." if username else "", f"Password {password}." if password else ""]
    return " ".join(part for part in [*parts, known.change] if part)


def _describe(text: str, item: Item) -> str:
    """Return first credentials with defaults in place of variables, or with a description where there is no default."""
    words = {
        one.name: one.default if one.default and not one.secret else f"(the value of {one.name})"
        for one in item.inputs
    }
    try:
        return interpolate_text(text, words)
    except InterpolationError:
        return text.replace("$", "")


# Part of every ETag: a release with other fields must not answer 304 to a body of the release before.
_FORM = hashlib.sha256(item_pb2.DESCRIPTOR.serialized_pb).hexdigest()[:8]


class ItemMessages:
    """Rendered items by view and form, valid until another state of them is published."""

    def __init__(self) -> None:
        self._pieces: dict[tuple[str, str], Mapping[_Piece, bytes]] = {}

    def prepare(self, items: Sequence[Item]) -> None:
        """Render these items, reusing the unchanged ones, and drop all others."""
        known = self._pieces
        # A new mapping in one assignment: other threads read while this one renders.
        self._pieces = {
            key: known.get(key) or _render_pieces(item) for item in items if (key := _name_state(item))
        }

    def name_state(self, state: str) -> str:
        """Return the ETag of a state; it differs between releases whose messages differ."""
        return f"{state}-{_FORM}"

    def render(self, item: Item, form: Form, *, view: str = FULL) -> bytes:
        """Return an item as bytes."""
        return (self._pieces.get(_name_state(item)) or _render_pieces(item))[view, form]

    def render_list(self, items: Sequence[Item], total: int, *, form: Form, view: str = FULL) -> bytes:
        """Render a page of a list that has `total` items."""
        pieces = [self.render(item, form, view=view) for item in items]
        return render_list(pb.ListItemsResponse(total=total), "applications", pieces=pieces, form=form)


def _render_pieces(item: Item) -> Mapping[_Piece, bytes]:
    message = render_item(item)
    messages = {FULL: message, SUMMARY: summarize(message)}
    return {(view, form): render(one, form) for view, one in messages.items() for form in Form}


def _name_state(item: Item) -> tuple[str, str]:
    return item.id, item.state
