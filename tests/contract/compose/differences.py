"""What differs between an app as Compose reads it at home and as Compose reads what the catalog renders of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

_SAME = ("image", "command", "entrypoint", "user", "working_dir", "hostname", "network_mode", "extra_hosts", "dns",
         "stop_grace_period", "cap_add", "tmpfs", "read_only", "init", "tty", "shm_size")  # fmt: skip


def list_differences(
    source: Mapping[str, Any], rendered: Mapping[str, Any], *, main_port: int = 0, asked: Collection[str] = ()
) -> list[str]:
    """Return what differs in meaning.

    Intended, and so left out: where the main port is published, what stands for secrets and other values that are asked
    for (`asked`), a port that the source does not publish itself, and where data of the other system lie.
    """
    found = []
    ours = {name: service for name, service in rendered["services"].items() if name != "proximity-volumes"}
    if source["services"].keys() != ours.keys():
        found.append(f"services {sorted(source['services'])} != {sorted(ours)}")
    for name in source["services"].keys() & ours.keys():
        found += [
            f"{name}: {text}" for text in _compare(source["services"][name], ours[name], main_port, asked)
        ]
    return found


def _compare(
    theirs: Mapping[str, Any], ours: Mapping[str, Any], main_port: int, asked: Collection[str]
) -> Iterator[str]:
    for key in _SAME:
        if (theirs.get(key) or None) != (ours.get(key) or None):
            yield f"{key} {theirs.get(key)!r} != {ours.get(key)!r}"
    told, tells = _read_environment(theirs), _read_environment(ours)
    for variable in sorted((told.keys() | tells.keys()) - set(asked)):
        if told.get(variable) != tells.get(variable):
            yield f"{variable}={told.get(variable)!r} != {tells.get(variable)!r}"
    published, publishes = _read_ports(theirs, main_port), _read_ports(ours, main_port)
    if published != publishes:
        yield f"ports {sorted(published)} != {sorted(publishes)}"
    mounted = _read_targets(theirs)
    mounts = {
        target
        if target in mounted
        else next((one for one in mounted if target.startswith(f"{one}/")), target)
        for target in _read_targets(ours)
    }
    if mounted != mounts:
        yield f"mounts at {sorted(mounted)} != {sorted(mounts)}"
    waits, ours_wait = _read_dependencies(theirs), _read_dependencies(ours)
    if waits != ours_wait:
        yield f"depends on {sorted(waits)} != {sorted(ours_wait)}"


def _read_environment(service: Mapping[str, Any]) -> dict[str, str]:
    pairs = (service.get("environment") or {}).items()
    return {name: str(value) for name, value in pairs if value is not None and name != "TZ"}


def _read_ports(service: Mapping[str, Any], main_port: int) -> set[tuple[str, int, str, str]]:
    """Return the ports with where they are open; that of the main port is the platform's."""
    found = set()
    for port in service.get("ports") or ():
        host = port.get("host_ip", "")
        place = "" if port["target"] == main_port else str(port.get("published") or port["target"])
        if host.startswith("127.") and not port.get("published"):
            continue
        found.add(
            (
                host if host.startswith(("127.", "::1")) else "",
                port["target"],
                port.get("protocol", "tcp"),
                place,
            )
        )
    return found


def _read_targets(service: Mapping[str, Any]) -> set[str]:
    mounts = {
        mount["target"].rstrip("/") for mount in service.get("volumes") or () if mount["type"] != "tmpfs"
    }
    return mounts | {str(config.get("target")) for config in service.get("configs") or ()}


def _read_dependencies(service: Mapping[str, Any]) -> set[tuple[str, str]]:
    depends = (service.get("depends_on") or {}).items()
    return {(name, record["condition"]) for name, record in depends if name != "proximity-volumes"}
