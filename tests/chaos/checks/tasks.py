"""Nothing is under way at Proxmox: a task that does not end is a command or a connection that the platform left behind."""

from __future__ import annotations

from collections.abc import Iterator

from tests.chaos.evidence import Evidence


def check_tasks(evidence: Evidence) -> Iterator[str]:
    """Say which tasks still run, though the storm was given time to settle."""
    for task in evidence.tasks:
        if task.get("endtime") is None:
            yield f"task {task['type']} of {task['id']} still runs on {task['node']}: {task['upid']}"
