"""Dependencies between services: cycles, and health checks that do not exist."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.catalog.domain.images import find_image
from services.catalog.domain.importers.draft import Draft, take_list, take_mapping
from services.catalog.domain.renderer.compose import is_on


def clean_dependencies(service: dict[str, Any], services: Mapping[str, Any]) -> None:
    """Remove the dependencies on services that the definition does not start."""
    depends = service.pop("depends_on", None)
    # Both forms of Compose: a mapping with conditions, and a list of names.
    if isinstance(depends, dict):
        left: Any = {name: value for name, value in depends.items() if name in services}
    else:
        left = [name for name in take_list(depends) if name in services]
    if left:
        service["depends_on"] = left


def check_dependencies(draft: Draft, services: Mapping[str, Any]) -> None:
    """Refuse services that wait for each other, or for a health that nothing checks."""
    if cycle := _find_cycle(services):
        draft.refuse(f"its services wait for each other: {' → '.join(cycle)}")
    for name, service in services.items():
        depends = service.get("depends_on")
        for other, record in depends.items() if isinstance(depends, dict) else ():
            is_health = take_mapping(record).get("condition") == "service_healthy"
            if is_health and _has_no_check(services[other]):
                draft.refuse(
                    f"{name} waits until {other} is healthy, but nothing checks the health of {other}"
                )


def _find_cycle(services: Mapping[str, Any]) -> list[str]:
    """Return the services of a cycle, the first one again at its end; empty where there is none."""
    done: set[str] = set()
    for start in services:
        path: list[str] = []
        waiting: list[tuple[str, int]] = [(start, 0)]
        while waiting:
            name, depth = waiting.pop()
            del path[depth:]
            if name in path:
                return [*path[path.index(name) :], name]
            if name in done:
                continue
            path.append(name)
            others = _list_dependencies(services[name], services)
            waiting += [(other, depth + 1) for other in reversed(others)]
            if not others:
                done.add(name)
        done.add(start)
    return []


def _list_dependencies(service: Mapping[str, Any], services: Mapping[str, Any]) -> list[str]:
    # Compose starts a service after the one whose network it shares, as if it depended on it.
    names = list(service.get("depends_on") or ())
    shared = str(service.get("network_mode", "")).removeprefix("service:")
    return [str(name) for name in [*names, shared] if name in services]


def _has_no_check(service: Mapping[str, Any]) -> bool:
    """Return whether a service certainly has no health check: Docker's official images define none."""
    check = take_mapping(service.get("healthcheck"))
    test = check.get("test")
    if is_on(check.get("disable", False)) or (take_list(test)[:1] or [""])[0] == "NONE":
        return True
    image = find_image(str(service.get("image", "")))
    is_official = image is not None and "/" not in image.name.removeprefix("docker.io/").removeprefix(
        "library/"
    )
    return not test and is_official
