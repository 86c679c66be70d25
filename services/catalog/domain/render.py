"""Puts inputs into an item's definition: exactly what will run, and what it needs.

Nothing is pasted into text: the definition is a tree, a value goes into one
scalar of it, and the result is checked again before it is written out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from services.catalog.domain import compose
from services.catalog.domain.document import Document
from services.catalog.domain.entities import Item, PortSpec
from services.catalog.domain.errors import (
    InvalidInputsError,
    RuntimeNotSupportedError,
    UnsafeDefinitionError,
)
from services.catalog.domain.interpolation import InterpolationError, interpolate_tree, map_texts
from services.catalog.domain.oci import OciDefinition, build_oci, find_control_faults
from services.catalog.domain.schema import check_schema
from services.catalog.domain.values import RenderRequest, Values, collect_values
from services.catalog.domain.yaml_text import write_yaml
from services.common.core.errors import Violation

MASK = "********"
_HIDDEN = re.compile("\ue000([A-Za-z0-9_]+)\ue001")


@dataclass(frozen=True, slots=True)
class Rendered:
    """A definition ready to run.

    Attributes:
        compose_yaml: complete but for its secrets, which stand as `${NAME}` and are found in
            `environment`; any other dollar is written as `$$`. Empty for oci.
        environment: for compose, every value that went in by name, for the `.env` file; for oci,
            the environment of the container.
        secrets: the names in `environment` never to be shown.
        generated: the values made up now, to be handed in again next time.
        inputs: every value by input, and the variables that are no input, to be handed in for another revision.
        oci: the one image to run, where the runtime is oci.
    """

    item: Item
    runtime: str
    compose_yaml: str
    oci: OciDefinition | None
    environment: Mapping[str, str]
    secrets: frozenset[str]
    generated: Mapping[str, str]
    inputs: Mapping[str, str]
    main_port: PortSpec | None
    ports: tuple[PortSpec, ...]
    images: tuple[str, ...]


def render_item(item: Item, request: RenderRequest) -> Rendered:
    """Render an item.

    Raises:
        InvalidInputsError: with a violation for each input or variable that does not fit.
        RuntimeNotSupportedError: the item is not known to run there.
        UnsafeDefinitionError: the values would make it ask for what the item does not allow.
    """
    runtime = request.runtime or item.runtimes[0]
    if runtime not in item.runtimes:
        runtimes = ", ".join(item.runtimes)
        text = f"{item.id} does not run as {runtime!r}: choose {runtimes}"
        raise RuntimeNotSupportedError(text, violations=[Violation("config.runtime", text)])
    values = collect_values(item, request)
    definition = _build_definition(item, request, values)
    is_oci = runtime == "oci"
    oci = build_oci(definition, item.volumes) if is_oci else None
    environment, secrets = _build_environment(values, oci)
    is_certain = bool(request.runtime) or len(item.runtimes) == 1  # else it may still become compose
    if oci and is_certain and (faults := find_control_faults(replace(oci, environment=environment))):
        raise InvalidInputsError(faults)
    if request.masked:
        environment = {name: MASK if name in secrets and text else text for name, text in environment.items()}
    oci = replace(oci, environment=environment) if oci else None
    ports = tuple(_move_port(port, request, published=not is_oci) for port in item.ports)
    return Rendered(
        item=item,
        runtime=runtime,
        compose_yaml="" if is_oci else write_yaml(map_texts(definition, _write_references)),
        oci=oci,
        environment=environment,
        secrets=secrets,
        generated=values.generated,
        inputs={} if request.masked else {**values.inputs, **values.extra},
        main_port=next((port for port in ports if port.main), None),
        ports=ports,
        images=compose.list_images(definition),
    )


def _hide(name: str) -> str:
    """Return what stands for a secret inside the tree; no value can hold these characters."""
    return f"\ue000{name}\ue001"


def _write_references(text: str) -> str:
    return _HIDDEN.sub(r"${\1}", text.replace("$", "$$"))


def _build_environment(values: Values, oci: OciDefinition | None) -> tuple[dict[str, str], frozenset[str]]:
    given = {**values.inputs, **values.extra}
    if oci is None:
        return given, values.secrets
    environment = {
        name: _HIDDEN.sub(lambda match: given.get(match[1], ""), text)
        for name, text in oci.environment.items()
    }
    hidden = {name for name, text in oci.environment.items() if _HIDDEN.search(text)}
    return environment, frozenset(hidden)


def _build_definition(item: Item, request: RenderRequest, values: Values) -> dict[str, Any]:
    shown = {
        name: _hide(name) if name in values.secrets and text else text for name, text in values.inputs.items()
    }
    extra = {
        name: _hide(name) if name in values.secrets and text else text for name, text in values.extra.items()
    }
    try:
        tree = interpolate_tree(dict(item.compose), _list_built_ins(request) | shown)
    except InterpolationError as error:
        raise InvalidInputsError({"environment": str(error)}) from None
    main = _find_main_service(item)
    services = {}
    for name, service in tree["services"].items():
        services[name] = _build_service(
            item, request, service, name=name, extra=extra if name == main else {}
        )
    if request.image:
        services[main]["image"] = request.image
    definition = {key: value for key, value in tree.items() if key != "version" and not key.startswith("x-")}
    definition |= {"name": request.project or item.id.rpartition(".")[2], "services": services}
    _check_definition(item, definition)
    return definition


def _list_built_ins(request: RenderRequest) -> dict[str, str]:
    return {
        "PROXIMITY_HOSTNAME": request.hostname,
        "PROXIMITY_PUBLIC_PORT": str(request.public_port or ""),
        "TZ": request.environment.get("TZ") or "Etc/UTC",
    }


def _find_main_service(item: Item) -> str:
    main = item.main_port
    return main.service if main else next(iter(item.compose["services"]))


def _build_service(
    item: Item, request: RenderRequest, service: Mapping[str, Any], *, name: str, extra: Mapping[str, str]
) -> dict[str, Any]:
    result = {key: value for key, value in service.items() if not key.startswith("x-")}
    result.setdefault("restart", "unless-stopped")
    if extra:
        result["environment"] = {**compose.read_pairs(result.get("environment")), **extra}
    labels = {"proximity.catalog": item.id, "proximity.revision": item.revision}
    result["labels"] = {**compose.read_pairs(result.get("labels")), **labels}
    try:
        ports = compose.parse_ports(result.pop("ports", None))
    except compose.InvalidComposeError as error:
        raise InvalidInputsError({"environment": str(error)}) from None
    if ports:
        result["ports"] = [_render_port(item, request, port, name=name) for port in ports]
    return result


def _render_port(
    item: Item, request: RenderRequest, port: compose.PublishedPort, *, name: str
) -> dict[str, Any]:
    main, public = item.main_port, request.public_port
    target, published, host_ip = port.target, port.published, port.host_ip
    if main and (main.service, main.container, main.protocol) == (name, port.target, port.protocol):
        target, published, host_ip = request.port or target, public or published, ""
    elif public and (published, port.protocol) == (public, "tcp"):
        raise InvalidInputsError({"config.port": f"{public} is the port of another service of {item.id}"})
    record = {"target": target, "published": str(published), "protocol": port.protocol}
    return {**record, "host_ip": host_ip} if host_ip else record


def _move_port(port: PortSpec, request: RenderRequest, *, published: bool) -> PortSpec:
    if not port.main:
        return port
    container = request.port or port.container
    return replace(
        port,
        container=container,
        published=(request.public_port or port.published) if published else container,
    )


def _check_definition(item: Item, definition: dict[str, Any]) -> None:
    """Check the result as if it came from outside: values may have changed its meaning."""
    faults = check_schema(Document(item.id, definition, {}), definition, schema="compose.schema.json")
    if faults:
        raise InvalidInputsError({"environment": faults[0].message})
    try:
        needs = [need for need in compose.list_host_needs(definition) if need.need not in item.allows]
    except compose.InvalidComposeError as error:
        raise InvalidInputsError({"environment": str(error)}) from None
    if needs:
        raise UnsafeDefinitionError(f"{item.id}: {needs[0].reason}, which the catalog does not allow it")
