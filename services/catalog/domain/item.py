"""Construction of an `Item` from a document in the catalog's format, and the name of its revision."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from services.catalog.domain.entities import (
    OWN_SOURCE,
    Choice,
    Credentials,
    Generate,
    Input,
    InputType,
    Item,
    Need,
    PortSpec,
    ReadinessProbe,
    Resources,
    VolumeSpec,
)
from services.catalog.domain.names import is_sensitive_name
from services.catalog.domain.renderer import compose
from services.catalog.domain.renderer.interpolation import Variable, list_variables, rewrite_variables

Record = Mapping[str, Any]


def name_revision(document: Record) -> str:
    """Return the revision of a document: equal content, equal name."""
    # Collections reorder keys and reformat their files: neither is a new revision, of which people would be notified.
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def name_item(document_id: str, source: str) -> str:
    """Return an item's id over all sources."""
    return document_id if source == OWN_SOURCE else f"{source}.{document_id}"


def build_item(document: Record, *, source: str = OWN_SOURCE, revision: str | None = None) -> Item:
    """Build the item a document describes; the document must have passed the linter."""
    inputs = tuple(_build_input(record, source) for record in document["inputs"])
    return Item(
        id=name_item(document["id"], source),
        name=document["name"],
        version=document["version"],
        description=document["description"],
        category=document["category"],
        tags=tuple(document["tags"]),
        author=document["author"],
        website=document["website"],
        documentation=document["documentation"],
        source_code=document.get("source_code", ""),
        license=document["license"],
        icon=document.get("icon", f"icons/{document['id']}.svg"),
        screenshots=tuple(document.get("screenshots", ())),
        architectures=tuple(document["architectures"]),
        runtimes=_list_runtimes(document, inputs),
        resources=_build_resources(document["resources"]),
        ports=tuple(_build_port(port) for port in document["ports"]),
        volumes=tuple(VolumeSpec(**volume) for volume in document["volumes"]),
        inputs=inputs,
        probe=_build_probe(document["probe"]),
        credentials=_build_credentials(document.get("credentials")),
        notes=tuple(document.get("notes", ())),
        allows=frozenset(document.get("allows", ())),
        compose=document["compose"],
        images=_list_images(document["compose"], inputs),
        source=source,
        revision=revision or name_revision(document),
        release_notes=document.get("release_notes", ""),
    )


def _build_input(record: Record, source: str) -> Input:
    """Build an input; other collections rarely declare which input is secret, so its name counts as well."""
    found = build_input(record)
    if source == OWN_SOURCE or "secret" in record or not is_sensitive_name(found.name):
        return found
    return replace(found, secret=True)


def _list_runtimes(document: Record, inputs: Sequence[Input]) -> tuple[str, ...]:
    """Return the runtimes of an item; oci is left out for secrets on the command line, which every process list shows."""
    words = [
        [service.get("command"), service.get("entrypoint")]
        for service in document["compose"]["services"].values()
    ]
    has_secret_words = list_variables(words) & {one.name for one in inputs if one.secret}
    runtimes = tuple(document["runtimes"])
    others = tuple(runtime for runtime in runtimes if runtime != "oci")
    return others if has_secret_words and others else runtimes


def _list_images(definition: Record, inputs: Sequence[Input]) -> tuple[str, ...]:
    """Return the images with the defaults of variables in them; a tag without default is left out."""
    images = compose.list_images(definition)
    # Most items have none, and a catalog has thousands of items.
    if not any("$" in image for image in images):
        return images
    return tuple(dict.fromkeys(resolve_image(image, inputs) for image in images))


def resolve_image(image: str, inputs: Iterable[Input]) -> str:
    """Return an image with the defaults of the variables in it."""
    values = {one.name: one.default or "" for one in inputs}

    def write(variable: Variable) -> str:
        return values.get(variable.name) or (variable.alternative if variable.operator in {":-", "-"} else "")

    return rewrite_variables(image, write).removesuffix(":")


def _build_resources(record: Record) -> Resources:
    return Resources(**{kind: Need(**record[kind]) for kind in ("memory", "cpu", "disk")})


def _build_port(record: Record) -> PortSpec:
    return PortSpec(
        service=record["service"],
        container=record["container"],
        published=record.get("published", record["container"]),
        protocol=record.get("protocol", "tcp"),
        purpose=record["purpose"],
        main=record["purpose"] == "web" or record.get("main", False),
        description=record.get("description", ""),
    )


def build_input(record: Record) -> Input:
    """Build the input a record of the catalog format describes."""
    kind = InputType(record["type"])
    generate = record.get("generate")
    return Input(
        name=record["name"],
        label=record["label"],
        type=kind,
        help=record.get("help", ""),
        required=record.get("required", False),
        # A form hides what is typed as a password: it is not shown afterwards either.
        secret=record.get("secret", kind is InputType.PASSWORD),
        default=render_scalar(record["default"]) if "default" in record else None,
        pattern=record.get("pattern"),
        minimum=record.get("minimum"),
        maximum=record.get("maximum"),
        choices=tuple(Choice(c["value"], c.get("label", c["value"])) for c in record.get("choices", ())),
        generate=Generate(**generate) if generate else None,
        unit=record.get("unit", ""),
    )


def _build_probe(record: Record) -> ReadinessProbe:
    lowest, highest = record.get("statuses", (200, 399))
    return ReadinessProbe(
        kind=record["kind"],
        path=record.get("path", "/"),
        scheme=record.get("scheme", "http"),
        lowest_status=lowest,
        highest_status=highest,
        grace_seconds=record.get("grace_seconds", 120),
        timeout_seconds=record.get("timeout_seconds", 5),
    )


def _build_credentials(record: Record | None) -> Credentials | None:
    if record is None:
        return None
    return Credentials(record.get("username", ""), record.get("password", ""), record["change"])


def render_scalar(value: str | float | bool) -> str:
    """Write a scalar as the value of an environment variable."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
