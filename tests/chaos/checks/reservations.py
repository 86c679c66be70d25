"""Container ids, ports and hostnames: unique, and none leaked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from tests.chaos.evidence import Evidence


def check_reservations(evidence: Evidence) -> Iterator[str]:
    """Say which are held twice, by nobody, or not at all."""
    apps = evidence.apps
    held = {(one["host_id"], one["vmid"], one["owner"]) for one in evidence.vmids}
    wanted = {(app["host_id"], app["vmid"], app["id"]) for app in apps if app["vmid"] is not None}
    yield from _compare("container id", held, wanted)
    taken = {(one["host_id"], one["public_port"], one["app_id"]) for one in evidence.ports}
    ports = {
        (app["host_id"], app["public_port"], app["id"]) for app in apps if app["public_port"] is not None
    }
    yield from _compare("port", taken, ports)
    yield from _check_twice("hostname", (app["hostname"] for app in apps))
    yield from _check_twice("container", (one[:2] for one in wanted))
    yield from _check_twice("port", (one[:2] for one in ports))


def _compare(what: str, held: set[tuple[int, int, str]], wanted: set[tuple[int, int, str]]) -> Iterator[str]:
    for host, number, owner in sorted(held - wanted):
        yield f"{what} {number} of host {host} is reserved for {owner}, which does not have it"
    for host, number, owner in sorted(wanted - held):
        yield f"{what} {number} of host {host} belongs to {owner} and is not reserved"


def _check_twice(what: str, values: Iterable[object]) -> Iterator[str]:
    for value, count in Counter(values).items():
        if count > 1:
            yield f"{what} {value} belongs to {count} apps"
