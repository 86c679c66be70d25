"""Parser of item documents: checks against the schema, then rules that a schema cannot express."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from services.catalog.domain.entities import Item
from services.catalog.domain.errors import InvalidItemError
from services.catalog.domain.faults import Fault
from services.catalog.domain.images import find_tag_fault
from services.catalog.domain.inputs import find_value_fault
from services.catalog.domain.item import build_input, build_item, resolve_image
from services.catalog.domain.item_files.document import Document, Path, Value
from services.catalog.domain.item_files.schema import check_schema, load_pattern
from services.catalog.domain.renderer import compose
from services.catalog.domain.renderer.host_needs import list_host_needs
from services.catalog.domain.renderer.interpolation import (
    InterpolationError,
    has_stray_dollar,
    list_variables,
)

BUILT_IN_VARIABLES = frozenset({"PROXIMITY_HOSTNAME", "PROXIMITY_PUBLIC_PORT", "TZ"})
"""Variables that the platform itself sets, besides the inputs."""


_UNOBTAINABLE = "which an app in an unprivileged container of its own cannot have"


def parse_item(document: Document, *, source: str, strict: bool = True) -> Item:
    """Return the item a document describes.

    Args:
        document: the content of a file.
        source: name of its source.
        strict: whether images without a fixed version and secrets on command lines are faults.

    Raises:
        InvalidItemError: with every fault that was found.
    """
    if faults := lint_document(document, strict=strict):
        raise InvalidItemError(faults)
    return build_item(document.value, source=source)


def lint_document(document: Document, *, strict: bool = True) -> list[Fault]:
    """Return the faults of a document, in the order of its lines."""
    faults = check_schema(document, document.value, schema="schema.json")
    if faults:
        return sorted(faults)
    definition = document.value["compose"]
    # The second schema and the rules assume what the first one has established.
    faults = check_schema(document, definition, schema="compose.schema.json", at=("compose",))
    if faults:
        return sorted(faults)
    return sorted(_Linter(document, strict).list_faults())


class _Linter:
    """The rules that need more than one field; the schemas have passed."""

    def __init__(self, document: Document, strict: bool) -> None:
        self._document = document
        self._value: dict[str, Any] = document.value
        self._services: dict[str, Any] = document.value["compose"]["services"]
        self._strict = strict

    def list_faults(self) -> Iterator[Fault]:
        unread = list(self._check_syntax())
        # Rules that read ports, mounts and variables would only repeat these faults.
        if unread:
            yield from unread
            return
        yield from self._check_services()
        yield from self._check_ports()
        yield from self._check_volumes()
        yield from self._check_host_needs()
        yield from self._check_inputs()
        yield from self._check_variables()
        yield from self._check_resources()
        yield from self._check_runtimes()

    def _fault(self, path: Path, message: str) -> Fault:
        return Fault(self._document.file, self._document.line_of(path), message)

    def _check_syntax(self) -> Iterator[Fault]:
        """Find what the other rules could not read: ports, mounts and variables."""
        for name, service in self._services.items():
            for key, read in (("ports", compose.parse_ports), ("volumes", compose.parse_mounts)):
                for index, entry in enumerate(service.get(key) or ()):
                    try:
                        read([entry])
                    except compose.InvalidComposeError as error:
                        yield self._fault(("compose", "services", name, key, index), str(error))
        for path, text in _list_texts(self._value["compose"], ("compose",)):
            try:
                list_variables(text)
            except InterpolationError as error:
                yield self._fault(path, str(error))
            else:
                if self._strict and has_stray_dollar(text):
                    yield self._fault(path, f"a single $ in {text[:80]!r}: write $$ for a dollar")

    def _check_services(self) -> Iterator[Fault]:
        for name, service in self._services.items():
            at: Path = ("compose", "services", name)
            if "image" not in service:
                yield self._fault(at, f"the service {name} has no image")
            elif fault := find_tag_fault(self._resolve_image(service["image"]), pinned=self._strict):
                yield self._fault((*at, "image"), fault)
            for other in service.get("depends_on") or ():
                if other not in self._services:
                    yield self._fault(
                        (*at, "depends_on"), f"{name} depends on {other!r}, which is no service"
                    )
            networks = self._value["compose"].get("networks") or {}
            for network in service.get("networks") or ():
                if network != "default" and network not in networks:
                    yield self._fault((*at, "networks"), f"the network {network!r} is not declared")

    def _resolve_image(self, image: str) -> str:
        return resolve_image(image, map(build_input, self._value["inputs"])) if "$" in image else image

    def _check_ports(self) -> Iterator[Fault]:
        seen: set[tuple[int, str]] = set()
        for index, port in enumerate(self._value["ports"]):
            at: Path = ("ports", index)
            if port["service"] not in self._services:
                yield self._fault(
                    at, f"the port {port['container']} names {port['service']!r}, which is no service"
                )
                continue
            published, protocol = port.get("published", port["container"]), port.get("protocol", "tcp")
            service = self._services[port["service"]]
            entries = compose.parse_ports(service.get("ports"))
            # On the host's network a container port is published without being mapped.
            is_direct = service.get("network_mode") == "host" and published == port["container"]
            if not is_direct and compose.PublishedPort(port["container"], published, protocol) not in entries:
                wanted = f"{published}:{port['container']}/{protocol}"
                yield self._fault(at, f"compose does not publish {wanted} for {port['service']}")
            if (published, protocol) in seen:
                yield self._fault(at, f"{published}/{protocol} is published twice")
            seen.add((published, protocol))
        yield from self._check_main_port()
        yield from self._check_undeclared_ports(seen)

    def _check_main_port(self) -> Iterator[Fault]:
        web = [port for port in self._value["ports"] if port["purpose"] == "web"]
        main = [port for port in self._value["ports"] if port.get("main")]
        # The platform shows one address and probes one port.
        if len(web) > 1 or (web and main) or len(main) > 1:
            yield self._fault(
                ("ports",), "more than one port is web or main: exactly one is what the platform opens"
            )
        chosen = [*web, *main]
        kind = self._value["probe"]["kind"]
        if not chosen and kind != "none":
            yield self._fault(("ports",), "no port is web or main, so there is nothing to probe")
        if chosen and chosen[0].get("protocol", "tcp") != "tcp":
            yield self._fault(("ports",), "the web or main port must be TCP")
        if main and not web and kind == "http" and "path" not in self._value["probe"]:
            yield self._fault(("probe",), "an http probe of a server without a web page needs its path")

    def _check_undeclared_ports(self, declared: set[tuple[int, str]]) -> Iterator[Fault]:
        for name, service in self._services.items():
            for index, port in enumerate(compose.parse_ports(service.get("ports"))):
                at: Path = ("compose", "services", name, "ports", index)
                if port.is_loopback:
                    continue
                if port.published is None:
                    yield self._fault(at, f"{name} publishes {port.target} nowhere: write published:target")
                elif (port.published, port.protocol) not in declared:
                    yield self._fault(at, f"the port {port.published}/{port.protocol} is not under ports")

    def _check_volumes(self) -> Iterator[Fault]:
        declared = set()
        for index, volume in enumerate(self._value["volumes"]):
            declared.add((volume["service"], volume["path"].rstrip("/")))
            mounts = compose.parse_mounts(self._services.get(volume["service"], {}).get("volumes"))
            if not any(m.source == volume["name"] and m.target == volume["path"] for m in mounts):
                wanted = f"{volume['name']}:{volume['path']}"
                yield self._fault(
                    ("volumes", index), f"compose does not mount {wanted} in {volume['service']}"
                )
        names = self._value["compose"].get("volumes") or {}
        for name, service in self._services.items():
            for index, mount in enumerate(compose.parse_mounts(service.get("volumes"))):
                at: Path = ("compose", "services", name, "volumes", index)
                if mount.kind != "tmpfs" and (name, mount.target.rstrip("/")) not in declared:
                    yield self._fault(at, f"the mount at {mount.target} is not under volumes")
                if mount.kind == "volume" and mount.source and mount.source not in names:
                    yield self._fault(at, f"the volume {mount.source!r} is not declared")

    def _check_host_needs(self) -> Iterator[Fault]:
        allowed = set(self._value.get("allows", ()))
        for need in list_host_needs(self._value["compose"]):
            if need.need not in allowed:
                # Own items may be given permission in their file; imported ones cannot give it to themselves.
                remedy = f"which needs {need.need!r} under allows" if self._strict else _UNOBTAINABLE
                yield self._fault(("compose", *need.path), f"{need.reason}, {remedy}")

    def _check_inputs(self) -> Iterator[Fault]:
        seen: set[str] = set()
        for index, record in enumerate(self._value["inputs"]):
            at: Path = ("inputs", index)
            if record["name"] in seen:
                yield self._fault(at, f"the input {record['name']} is given twice")
            seen.add(record["name"])
            fault = _find_input_fault(record)
            if fault:
                yield self._fault(at, f"the input {record['name']} {fault}")
            elif "default" in record:
                item_input = build_input(record)
                if text := find_value_fault(item_input, item_input.default or ""):
                    yield self._fault(at, f"the default of {record['name']} {text}")

    def _check_variables(self) -> Iterator[Fault]:
        names = {record["name"] for record in self._value["inputs"]}
        used = compose.list_passed_variables(self._value["compose"])
        # Compose would put in an empty text, and the app would start with a setting missing.
        for variable in sorted(used - names - BUILT_IN_VARIABLES):
            yield self._fault(
                ("compose", "services"), f"the variable {variable} is passed through, but is no input"
            )
        for path, text in _list_texts(self._value["compose"], ("compose",)):
            variables = list_variables(text)
            used |= variables
            for variable in sorted(variables - names - BUILT_IN_VARIABLES):
                yield self._fault(path, f"${{{variable}}} is no input")
        for index, record in enumerate(self._value["inputs"]):
            if record["name"] not in used:
                yield self._fault(("inputs", index), f"the input {record['name']} is used nowhere in compose")

    def _check_resources(self) -> Iterator[Fault]:
        for kind, need in self._value["resources"].items():
            if need["recommended"] < need["minimum"]:
                yield self._fault(("resources", kind), f"{kind}: less is recommended than is the minimum")

    def _check_runtimes(self) -> Iterator[Fault]:
        # Without Docker inside there is nothing that could start a second image.
        if "oci" in self._value["runtimes"] and len(self._services) != 1:
            yield self._fault(("runtimes",), "oci runs one image, and this app has more services")
        secrets = {i["name"] for i in self._value["inputs"] if i.get("secret", i["type"] == "password")}
        for name, service in self._services.items():
            for key in ("command", "entrypoint"):
                if self._strict and secrets & list_variables(service.get(key)):
                    path = ("compose", "services", name, key)
                    yield self._fault(
                        path, f"the {key} of {name} shows a secret to everybody who lists processes"
                    )


def _list_texts(value: Value, path: Path) -> Iterator[tuple[Path, str]]:
    """Yield every text of a plain tree with its path."""
    if isinstance(value, str):
        yield path, value
    for key, child in value.items() if isinstance(value, dict) else ():
        yield from _list_texts(child, (*path, key))
    for index, child in enumerate(value) if isinstance(value, list) else ():
        yield from _list_texts(child, (*path, index))


def _find_input_fault(record: dict[str, Any]) -> str | None:
    if (record["type"] == "choice") != ("choices" in record):
        return "is a choice exactly when it has choices"
    if record.get("generate") and "default" in record:
        return "is either generated or has a default"
    if "pattern" in record:
        try:
            load_pattern(record["pattern"])
        except ValueError:
            return f"has a pattern that is no linear-time regular expression: {record['pattern']}"
    return None
