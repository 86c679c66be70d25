"""The ports of an imported app: which it publishes, which of them is its page, and how that is probed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from services.catalog.domain import compose
from services.catalog.domain.importers.draft import Draft, RefusedEntryError

_MAX_PORTS = 300  # game servers and telephone exchanges open a hundred and more
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
_TLS = frozenset({443, 8443, 9443})
_NO_WEB = {port: purpose for purpose, ports in _PURPOSES.items() for port in ports}
"""Ports that speak no HTTP, wherever they are seen: a page is looked for elsewhere first, and a connection has to do."""


def open_main_port(draft: Draft, services: Mapping[str, Any]) -> None:
    """Publish the main port where the collection's own proxy would have."""
    if draft.main_service not in services:
        draft.main_service = ""
    if not draft.main_port:
        return
    name = draft.main_service or _find_service(services, draft.main_port) or next(iter(services))
    if (shared := str(services[name].get("network_mode", "")).removeprefix("service:")) in services:
        name = shared
    draft.main_service = name
    if services[name].get("network_mode"):
        return
    ports = services[name].setdefault("ports", [])
    if not any(
        port.target == draft.main_port and port.protocol == "tcp" for port in compose.parse_ports(ports)
    ):
        ports.insert(0, f"{draft.published_port or draft.main_port}:{draft.main_port}/tcp")


def _find_service(services: Mapping[str, Any], target: int) -> str:
    for name, service in services.items():
        if any(port.target == target for port in compose.parse_ports(service.get("ports"))):
            return str(name)
    return ""


def list_ports(draft: Draft, services: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the ports that a definition publishes; one that it publishes twice is dropped there.

    Raises:
        RefusedEntryError: they are more than an app has.
    """
    found = [
        (name, port)
        for name, service in services.items()
        for port in compose.parse_ports(service.get("ports"))
    ]
    if len(found) > _MAX_PORTS:
        raise RefusedEntryError(f"publishes {len(found)} ports, more than {_MAX_PORTS}")
    unique: dict[tuple[int | None, str], tuple[str, compose.PublishedPort]] = {}
    for entry in found:
        unique.setdefault((entry[1].published, entry[1].protocol), entry)
    kept = list(unique.values())
    if len(kept) < len(found):
        _drop_repeated(services, unique)
    main = _choose_main(draft, kept)
    records = [_describe_port(name, port) for name, port in kept]
    if main is not None:
        is_web = draft.has_page and kept[main][1].target not in _NO_WEB
        records[main] |= {"purpose": "web"} if is_web else {"main": True}
    return records


def _drop_repeated(
    services: Mapping[str, Any], unique: Mapping[Any, tuple[str, compose.PublishedPort]]
) -> None:
    for name, service in services.items():
        ports = compose.parse_ports(service.get("ports"))
        mine = [p for p in ports if unique[p.published, p.protocol] == (name, p)]
        if ports:
            texts = dict.fromkeys(f"{port.published}:{port.target}/{port.protocol}" for port in mine)
            service["ports"] = list(texts)


def _choose_main(draft: Draft, ports: list[tuple[str, compose.PublishedPort]]) -> int | None:
    """Return which port the platform opens: the one the collection names, else the likeliest."""
    tcp = [index for index, (_, port) in enumerate(ports) if port.protocol == "tcp"]

    def rank(index: int) -> tuple[bool, bool, bool, int]:
        name, port = ports[index]
        return (
            port.target != draft.main_port,
            bool(draft.published_port) and port.published != draft.published_port,
            bool(draft.main_service) and name != draft.main_service,
            1 if port.target in _NO_WEB else 0,
        )

    return min(tcp, key=lambda index: (rank(index), index)) if tcp else None


def _describe_port(name: str, port: compose.PublishedPort) -> dict[str, Any]:
    record: dict[str, Any] = {"service": name, "container": port.target, "published": port.published}
    if port.protocol != "tcp":
        record["protocol"] = port.protocol
    return {**record, "purpose": _NO_WEB.get(port.target, "other")}


def build_probe(draft: Draft, ports: list[dict[str, Any]]) -> dict[str, Any]:
    """Return how an app is asked whether it is there: on its page, else by a connection."""
    main = next((port for port in ports if port["purpose"] == "web" or port.get("main")), None)
    if main is None:
        return {"kind": "none"}
    if main.get("main"):
        return {"kind": "tcp", "grace_seconds": 180}
    path = draft.probe_path if re.fullmatch(r"/[^\s]{0,300}", draft.probe_path) else "/"
    probe = {"kind": "http", "path": path, "statuses": [200, 499], "grace_seconds": 300}
    is_tls = draft.probe_scheme == "https" or (not draft.probe_scheme and main["container"] in _TLS)
    return {**probe, "scheme": "https"} if is_tls else probe
