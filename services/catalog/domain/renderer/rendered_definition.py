"""Rendering of an item: its definition with the values of the inputs, ready to run.

No value is inserted into text: the definition is a tree, a value goes into one
scalar of it, and the result is checked again before it is written.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from services.catalog.domain.entities import Item, PortSpec
from services.catalog.domain.errors import (
    InvalidInputsError,
    RuntimeNotSupportedError,
    UnsafeDefinitionError,
)
from services.catalog.domain.images import find_tag_fault
from services.catalog.domain.item_files.document import Document
from services.catalog.domain.item_files.schema import check_schema
from services.catalog.domain.renderer import compose
from services.catalog.domain.renderer.host_needs import (
    OPTIONAL_DEVICES,
    is_obtainable_device,
    list_devices,
    list_host_needs,
)
from services.catalog.domain.renderer.interpolation import InterpolationError, interpolate_tree, map_texts
from services.catalog.domain.renderer.oci import OciDefinition, build_oci, find_control_faults
from services.catalog.domain.renderer.values import RenderRequest, Values, collect_values
from services.catalog.domain.yaml_text import write_yaml
from services.common.core.errors import Violation
from services.common.core.text import MASK, mask_credentials, mask_values, name_reference

HOST_VARIABLE = "PROXIMITY_HOSTNAME"
# Placeholder of a value: private-use characters, which no input accepts.
_HIDDEN = re.compile("\ue000([A-Za-z0-9_]+)\ue001")


@dataclass(frozen=True, slots=True)
class RenderedDefinition:
    """A definition ready to run.

    Attributes:
        compose_yaml: complete but for the values, which stand as `${NAME}` and are found in `environment` (of a masked
            rendering only the secret ones; see also `name_reference`); any other dollar is `$$`. Empty for oci.
        environment: for compose, every value that went in by name, for the `.env` file; for oci,
            the environment of the container.
        secrets: the names in `environment` never to be shown.
        generated: the values made up now, to be handed in again next time.
        inputs: every value by input, and the variables that are no input, to be handed in for another revision.
        oci: the one image to run, where the runtime is oci.
        devices: of the node that the container must have.
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
    devices: tuple[str, ...] = ()


def render_item(item: Item, request: RenderRequest) -> RenderedDefinition:
    """Render an item.

    Raises:
        InvalidInputsError: with a violation for each input or variable that does not fit.
        RuntimeNotSupportedError: the item is not known to run there.
        UnsafeDefinitionError: with the values it would need something that the item does not allow.
    """
    runtime = request.runtime or item.runtimes[0]
    if runtime not in item.runtimes:
        runtimes = ", ".join(item.runtimes)
        text = f"{item.id} does not run as {runtime!r}: choose {runtimes}"
        raise RuntimeNotSupportedError(text, violations=[Violation("config.runtime", text)])
    values = collect_values(item, request)
    given = {**values.inputs, **values.extra}
    # Checked with all values in it: one of them may have turned into a mount of the host.
    definition = _build_definition(item, request, values=values, hidden=frozenset())
    allowed = item.allows | ({"devices"} if request.optional_devices else frozenset())
    shown_secrets = [given[name] for name in values.secrets & given.keys()]
    _check_definition(item, definition, secrets=shown_secrets, allowed=allowed)
    is_oci = runtime == "oci"
    # A stored definition has no values in it; a preview shows those that are not secret.
    hidden = values.secrets if request.masked or is_oci else frozenset(given)
    if request.refers_to_host and not request.masked and not is_oci:
        hidden |= {HOST_VARIABLE}
    shown = _build_definition(item, request, values=values, hidden=hidden, plain=definition)
    oci = build_oci(definition, item.volumes) if is_oci else None
    environment: Mapping[str, str] = given
    secrets = values.secrets
    if oci is not None:
        environment = oci.environment
        secrets |= {name for name, text in build_oci(shown, ()).environment.items() if _HIDDEN.search(text)}
    is_certain = bool(request.runtime) or len(item.runtimes) == 1  # else it may still become compose
    if oci and is_certain and (faults := find_control_faults(oci)):
        raise InvalidInputsError(faults)
    if request.masked:
        environment = {name: _mask(text, name in secrets) for name, text in environment.items()}
    oci = replace(oci, environment=environment) if oci else None
    ports = tuple(
        _move_port(port, request, published=not is_oci and not is_direct(item, port)) for port in item.ports
    )
    return RenderedDefinition(
        item=item,
        runtime=runtime,
        compose_yaml="" if is_oci else write_yaml(map_texts(shown, _write_references)),
        oci=oci,
        environment=environment,
        secrets=secrets,
        generated=values.generated,
        inputs={} if request.masked else given,
        main_port=next((port for port in ports if port.main), None),
        ports=ports,
        images=compose.list_images(definition),
        devices=() if is_oci else list_devices(definition),
    )


def _mask(text: str, is_secret: bool) -> str:
    return MASK if is_secret and text else mask_credentials(text)


def _hide(name: str) -> str:
    """Return the placeholder of a value inside the tree; no value can contain these characters."""
    return f"\ue000{name}\ue001"


def _write_references(text: str) -> str:
    return _HIDDEN.sub(lambda match: f"${{{name_reference(match[1])}}}", text.replace("$", "$$"))


def _build_definition(
    item: Item,
    request: RenderRequest,
    *,
    values: Values,
    hidden: Collection[str],
    plain: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the definition with its values, those of `hidden` as references.

    Images and ports are read here already, so they are taken from the `plain` definition where others are hidden.
    """

    def write(texts: Mapping[str, str]) -> dict[str, str]:
        shown = mask_credentials if request.masked and plain else str
        return {name: _hide(name) if name in hidden and text else shown(text) for name, text in texts.items()}

    extra = write(values.extra)
    known = _list_built_ins(item, request) | write(values.inputs)
    if HOST_VARIABLE in hidden:
        known[HOST_VARIABLE] = _hide(HOST_VARIABLE)
    try:
        tree = interpolate_tree(compose.fill_passed_variables(item.compose, known), known)
    except InterpolationError as error:
        raise InvalidInputsError({"environment": str(error)}) from None
    main = _find_main_service(item)
    services = {}
    for name, service in tree["services"].items():
        if plain is not None:
            service = {**service, "ports": plain["services"][name].get("ports")}  # noqa: PLW2901 - another one
        services[name] = _build_service(
            item,
            request,
            service=service,
            name=name,
            extra=extra if name == main else {},
            is_read=plain is not None,
        )
        if plain is not None:
            services[name]["image"] = plain["services"][name]["image"]
    if request.image:
        services[main]["image"] = request.image
    definition = {key: value for key, value in tree.items() if key != "version" and not key.startswith("x-")}
    return definition | {"name": request.project or item.id.rpartition(".")[2], "services": services}


def _list_built_ins(item: Item, request: RenderRequest) -> dict[str, str]:
    main, port = item.main_port, request.public_port
    is_oci = (request.runtime or item.runtimes[0]) == "oci"
    if port and main and (is_oci or is_direct(item, main)):
        port = request.port or main.container  # nothing publishes it elsewhere
    return {
        HOST_VARIABLE: request.hostname,
        "PROXIMITY_PUBLIC_PORT": str(port or ""),
        "TZ": request.environment.get("TZ") or "Etc/UTC",
    }


def _find_main_service(item: Item) -> str:
    main = item.main_port
    return main.service if main else next(iter(item.compose["services"]))


def _build_service(
    item: Item,
    request: RenderRequest,
    *,
    service: Mapping[str, Any],
    name: str,
    extra: Mapping[str, str],
    is_read: bool,
) -> dict[str, Any]:
    result = {key: value for key, value in service.items() if not key.startswith("x-")}
    if request.optional_devices and (optional := service.get(OPTIONAL_DEVICES)):
        result["devices"] = [*result.get("devices", ()), *optional]
    result.setdefault("restart", "unless-stopped")
    if extra:
        result["environment"] = {**compose.read_pairs(result.get("environment")), **extra}
    labels = {"proximity.catalog": item.id, "proximity.revision": item.revision}
    result["labels"] = {**compose.read_pairs(result.get("labels")), **labels}
    if is_read:
        return {key: value for key, value in result.items() if key != "ports" or value}
    try:
        ports = compose.parse_ports(result.pop("ports", None))
    except compose.InvalidComposeError as error:
        raise InvalidInputsError({"environment": str(error)}) from None
    if ports:
        result["ports"] = [_render_port(item, request, port=port, name=name) for port in ports]
    return result


def _render_port(
    item: Item, request: RenderRequest, *, port: compose.PublishedPort, name: str
) -> dict[str, Any]:
    main, public = item.main_port, request.public_port
    target, published, host_ip = port.target, port.published, port.host_ip
    if main and (main.service, main.container, main.protocol) == (name, port.target, port.protocol):
        target, published, host_ip = request.port or target, public or published, ""
    elif public and (published, port.protocol) == (public, "tcp"):
        raise InvalidInputsError({"config.port": f"{public} is the port of another service of {item.id}"})
    record = {"target": target, "published": str(published), "protocol": port.protocol}
    return {**record, "host_ip": host_ip} if host_ip else record


def is_direct(item: Item, port: PortSpec) -> bool:
    """Return whether a service uses its container's own network, so that its ports are open without being published."""
    return bool(item.compose["services"].get(port.service, {}).get("network_mode") == "host")


def _move_port(port: PortSpec, request: RenderRequest, *, published: bool) -> PortSpec:
    if not port.main:
        return port
    container = request.port or port.container
    return replace(
        port,
        container=container,
        published=(request.public_port or port.published) if published else container,
    )


def _check_definition(
    item: Item, definition: dict[str, Any], *, secrets: Sequence[str], allowed: Collection[str]
) -> None:
    """Check the result as if it came from outside: values may have changed its meaning."""
    faults = check_schema(Document(item.id, definition, {}), definition, schema="compose.schema.json")
    if faults:
        raise InvalidInputsError({"environment": mask_values(faults[0].message, secrets)})
    try:
        needs = [need for need in list_host_needs(definition) if need.need not in allowed]
    except compose.InvalidComposeError as error:
        raise InvalidInputsError({"environment": mask_values(str(error), secrets)}) from None
    for service in definition["services"].values():
        if fault := find_tag_fault(service["image"], pinned=False):
            raise InvalidInputsError({"environment": mask_values(fault, secrets)})
    if needs:
        reason = mask_values(needs[0].reason, secrets)
        raise UnsafeDefinitionError(f"{item.id}: {reason}, which the catalog does not allow it")
    if strange := [one for one in list_devices(definition) if not is_obtainable_device(one)]:
        reason = mask_values(strange[0], secrets)
        raise UnsafeDefinitionError(f"{item.id}: {reason} is no device that containers are given")
