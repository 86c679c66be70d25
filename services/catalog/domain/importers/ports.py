"""Ports of an imported app: published ports, the main one, and its readiness probe."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from services.catalog.domain.importers.draft import Draft, RefusedEntryError
from services.catalog.domain.importers.main_service import find_main_service, is_helper
from services.catalog.domain.renderer import compose

_MAX_PORTS = 300  # game servers and telephone exchanges open a hundred and more
# Well-known ports by the purpose that is shown for them.
_PURPOSES = {
    "database": {1433, 1521, 3050, 3306, 5432, 6379, 7687, 9042, 11211, 26257, 27017, 33060},
    "messaging": {1883, 4222, 5222, 5269, 5671, 5672, 6650, 6667, 6697, 8883, 9092, 61613, 61616},
    "mail": {25, 110, 143, 465, 587, 993, 995, 4190},
    "dns": {53, 853},
    "ssh": {22, 2222},
    "other": {
        21, 111, 139, 389, 445, 514, 548, 636, 873, 1194, 1935, 2049, 3389, 5900, 6881, 8333, 8554, 9735,
        10200, 10300, 10400, 18333, 19132, 25565, 51413, 51820, 64738,
    },
}  # fmt: skip
# Ports on which a service speaks HTTPS where nothing names the scheme.
_TLS = frozenset({443, 8443, 9443})
NO_WEB = {port: purpose for purpose, ports in _PURPOSES.items() for port in ports}
"""Ports of protocols other than HTTP: they are the main port only where no other is, and are probed by a connection."""

Found = tuple[str, compose.PublishedPort]


def open_main_port(draft: Draft, services: Mapping[str, Any]) -> None:
    """Publish the main port that the collection's own proxy would have served."""
    if draft.main_service not in services:
        draft.main_service = ""
    if not draft.main_port:
        _take_hint(draft, services)
    if not draft.main_port:
        return
    name = (
        draft.main_service or _find_service(services, draft.main_port) or find_main_service(draft, services)
    )
    if (shared := str(services[name].get("network_mode", "")).removeprefix("service:")) in services:
        name = shared
    draft.main_service = name
    if services[name].get("network_mode"):  # its ports are open without being published
        return
    ports = services[name].setdefault("ports", [])
    if not any(
        port.target == draft.main_port and port.protocol == "tcp" and not port.is_loopback
        for port in compose.parse_ports(ports)
    ):
        ports.insert(0, f"{draft.published_port or draft.main_port}:{draft.main_port}/tcp")


def _take_hint(draft: Draft, services: Mapping[str, Any]) -> None:
    """Use the hints for the page, where no published port can be one."""
    if any(_may_be_page(services, found) for found in _list_found(services)):
        return
    hinted = {name: services[name] for name in draft.page_hints if name in services}
    if draft.main_service and draft.main_service not in hinted:
        return
    if hinted:
        name = find_main_service(draft, hinted)
        if not is_helper(services[name]) or len(services) == 1:
            draft.main_service, draft.main_port = name, draft.page_hints[name]


def _may_be_page(services: Mapping[str, Any], found: Found) -> bool:
    name, port = found
    is_page = port.protocol == "tcp" and port.target not in NO_WEB
    return is_page and (len(services) == 1 or not is_helper(services[name]))


def _find_service(services: Mapping[str, Any], target: int) -> str:
    return next((name for name, port in _list_found(services) if port.target == target), "")


def _list_found(services: Mapping[str, Any]) -> list[Found]:
    """Return the ports that services publish to the network."""
    return [
        (str(name), port)
        for name, service in services.items()
        for port in compose.parse_ports(service.get("ports"))
        if not port.is_loopback
    ]


def list_ports(draft: Draft, services: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the ports that a definition publishes, each on a port of its own of the container.

    Raises:
        RefusedEntryError: they are more than an app has.
    """
    _place_ports(draft, services)
    found = _list_found(services)
    main = _choose_main(draft, services, ports=found)
    records = [_describe_port(name, port) for name, port in found]
    if main is None and (record := _describe_host_port(draft, services)):
        return [record | _mark(draft, record["container"]), *records]
    if main is not None:
        records[main] |= _mark(draft, found[main][1].target)
    else:
        draft.note("It has no page to open: its collection publishes none.")
    return records


def _mark(draft: Draft, target: int) -> dict[str, Any]:
    return {"purpose": "web"} if draft.has_page and target not in NO_WEB else {"main": True}


def _describe_host_port(draft: Draft, services: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the page of a service in its container's own network, where Docker publishes nothing."""
    name = find_main_service(draft, services)
    if services[name].get("network_mode") != "host":
        return None
    port = draft.main_port or draft.page_hints.get(name, 0) or draft.published_port
    return {"service": name, "container": port, "published": port, "purpose": "other"} if port else None


def _place_ports(draft: Draft, services: Mapping[str, Any]) -> None:
    """Publish every port on a free one: first those with a fixed number, then the others."""
    everything = [
        (str(name), port)
        for name, service in services.items()
        for port in compose.parse_ports(service.get("ports"))
    ]
    if len(everything) > _MAX_PORTS:
        raise RefusedEntryError(f"publishes {len(everything)} ports, more than {_MAX_PORTS}")
    taken: dict[tuple[int, str], str] = {}
    texts: dict[str, list[str]] = {}
    # Free ports are chosen last, or they would take those that another service asks for by number.
    for name, port in sorted(everything, key=lambda entry: entry[1].published is None):
        place = port.published or _find_free(port, taken)
        if (place, port.protocol) in taken:
            if taken[place, port.protocol] != f"{name}:{port.target}":
                draft.note(f"Port {port.target} of {name} is not published: {place} is another service's.")
            continue
        taken[place, port.protocol] = f"{name}:{port.target}"
        ip = f"[{port.host_ip}]:" if ":" in port.host_ip else f"{port.host_ip}:"
        texts.setdefault(name, []).append(
            f"{ip if port.is_loopback else ''}{place}:{port.target}/{port.protocol}"
        )
    for name, service in services.items():
        if "ports" in service:
            service["ports"] = texts.get(str(name), [])


def _find_free(port: compose.PublishedPort, taken: Mapping[tuple[int, str], str]) -> int:
    places: list[int] = [port.target, *range(port.target + 1, 65_536), *range(1024, port.target)]
    return next(place for place in places if (place, port.protocol) not in taken)


def _choose_main(draft: Draft, services: Mapping[str, Any], *, ports: list[Found]) -> int | None:
    """Return the main port: the one that the collection names, else the likeliest."""
    tcp = [index for index, (_, port) in enumerate(ports) if port.protocol == "tcp"]
    likeliest = find_main_service(draft, services)

    def rank(index: int) -> tuple[bool, bool, bool, bool, bool]:
        name, port = ports[index]
        return (
            port.target != draft.main_port,
            bool(draft.published_port) and port.published != draft.published_port,
            bool(draft.main_service) and name != draft.main_service,
            not _may_be_page(services, ports[index]),
            name != likeliest,
        )

    return min(tcp, key=lambda index: (rank(index), index)) if tcp else None


def _describe_port(name: str, port: compose.PublishedPort) -> dict[str, Any]:
    record: dict[str, Any] = {"service": name, "container": port.target, "published": port.published}
    if port.protocol != "tcp":
        record["protocol"] = port.protocol
    return {**record, "purpose": NO_WEB.get(port.target, "other")}


def build_probe(draft: Draft, ports: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the readiness probe of an app: a request of its page, else a connection."""
    main = next((port for port in ports if port["purpose"] == "web" or port.get("main")), None)
    if main is None:
        return {"kind": "none"}
    if main.get("main"):
        return {"kind": "tcp", "grace_seconds": 180}
    wanted = draft.probe_path if draft.probe_path.startswith("/") else f"/{draft.probe_path}"
    path = wanted if re.fullmatch(r"/[^\s]{0,300}", wanted) else "/"
    # A page that demands a sign-in or does not exist answers as well; 5xx is what proxies say while an app starts.
    probe = {"kind": "http", "path": path, "statuses": [200, 499], "grace_seconds": 300}
    is_tls = draft.probe_scheme == "https" or (not draft.probe_scheme and main["container"] in _TLS)
    return {**probe, "scheme": "https"} if is_tls else probe
