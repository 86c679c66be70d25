"""What others own is as it was, byte for byte; what was adopted is as it was but for our marks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from services.inventory.proxmox.marks import drop_marks, find_owner
from tests.chaos.evidence import Evidence, Row

_OURS_WHILE_ADOPTED = {"memory", "cores", "digest"}
_VOLUME = re.compile(r"vm-\d+-disk-\d+|subvol-\d+-disk-\d+")


def check_strangers(evidence: Evidence) -> Iterator[str]:
    """Say which are gone or changed."""
    asked = {int(one.body["vmid"]) for one in evidence.history if one.action == "adopt"}
    restored = _find_restored(evidence) & asked
    for text, before in evidence.before.get("containers", {}).items():
        vmid = int(text)
        after = evidence.containers.get(vmid)
        if after is None:
            yield f"the stranger's container {vmid} is gone"
        elif vmid not in asked:
            yield from _compare(vmid, before, after)
        else:
            yield from _compare_adopted(vmid, before, after, restored=vmid in restored)
    yield from _check_volumes(evidence, restored)


def _find_restored(evidence: Evidence) -> set[int]:
    """Containers that were restored in place: Proxmox gives each of their volumes another id.

    Only the owner of an app can ask for that; `operations` compares the tasks with what was asked for.
    """
    return {
        int(task["id"])
        for task in evidence.tasks
        if task["type"] == "vzrestore" and str(task.get("exitstatus")).startswith(("OK", "WARN"))
    }


def _compare(vmid: int, before: Row, after: Row) -> Iterator[str]:
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield f"{name} of the stranger's container {vmid} was {before.get(name)} and is {after.get(name)}"


def _compare_adopted(vmid: int, before: Row, after: Row, *, restored: bool) -> Iterator[str]:
    """An adopted container may have been stopped, started, restored and given more memory, nothing else."""
    is_ours = find_owner(after["config"]) is not None
    was, now = (_strip(one["config"], volumes=not restored) for one in (before, after))
    for name in sorted(was.keys() | now.keys()):
        if was.get(name) != now.get(name):
            ours = " (ours now)" if is_ours else ""
            yield f"{name} of the stranger's container {vmid}{ours} was {was.get(name)!r} and is {now.get(name)!r}"
    if before["node"] != after["node"]:
        yield f"the stranger's container {vmid} was on {before['node']} and is on {after['node']}"


def _strip(config: Row, *, volumes: bool) -> dict[str, Any]:
    """A configuration without our marks and what its owner may change through us, with or without ids of volumes."""
    rest = drop_marks(config)
    gone = set(rest.pop("delete", "").split(","))
    kept = {
        name: value for name, value in {**config, **rest}.items() if name not in gone | _OURS_WHILE_ADOPTED
    }
    if not volumes:
        kept = {name: _VOLUME.sub("", str(value)) for name, value in kept.items()}
    return {**kept, "description": str(kept.get("description", "")).strip("\n")}


def _check_volumes(evidence: Evidence, restored: set[int]) -> Iterator[str]:
    kept = {(one["node"], one["volid"]) for one in evidence.after.get("volumes", [])}
    for volume in evidence.before.get("volumes", []):
        if volume["content"] in {"rootdir", "images"} and volume.get("vmid") in restored:
            continue  # its configuration names the successor
        if (volume["node"], volume["volid"]) not in kept:
            yield f"volume {volume['volid']} of others is gone"
