"""Containers are destroyed by deletions, restore tests, and operations that take their own creation back; by nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from tests.chaos.evidence import Evidence

_DELETING = {"delete_app", "destroy_orphan", "destroy_duplicate", "test_backup"}
_CREATING = {"deploy_app", "clone_app", "restore_beside"}


def check_destroyed(evidence: Evidence) -> Iterator[str]:
    """Say which containers were destroyed by an operation that may not, and whether more were than may have been."""
    owners = {
        upid: step["operation_id"]
        for step in (*evidence.steps, *evidence.backup_steps)
        for upid in step["upids"]
    }
    operations = {one["id"]: one for one in (*evidence.operations, *evidence.backup_operations)}
    destroying: set[str] = set()
    unnoted: list[str] = []
    for task in evidence.tasks:
        if task["type"] != "vzdestroy" or not str(task.get("exitstatus")).startswith(("OK", "WARN")):
            continue
        operation = operations.get(owners.get(task["upid"], ""))
        if operation is None:
            unnoted.append(str(task["id"]))
        elif operation["kind"] in _DELETING | _CREATING:
            destroying.add(operation["id"])
        else:
            yield f"container {task['id']} was destroyed by {operation['kind']} {operation['id']}"
    entitled = {
        one["id"]
        for one in operations.values()
        if one["kind"] in _DELETING or (one["kind"] in _CREATING and one["status"] != "succeeded")
    }
    if len(unnoted) > len(entitled - destroying):  # a worker that dies may not have noted its task
        yield f"containers {', '.join(unnoted)} were destroyed, {len(unnoted) - len(entitled - destroying)} by nobody"
