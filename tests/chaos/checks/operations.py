"""Every accepted operation ended, none was invented, none ran twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tests.chaos.evidence import Evidence, Row
from tests.chaos.history import METHODS
from tests.chaos.timeline import find_origins

_ENDS = {"succeeded", "failed", "cancelled"}
_KINDS = {
    "start": "start_app",
    "stop": "stop_app",
    "restart": "restart_app",
    "delete": "delete_app",
    "update": "update_app",
}
_DELEGATED = {"backup", "restore"}  # kinds in apps of what backups carries out
# What a kind of operation may do in Proxmox at most once, for it to have run once.
_ONCE = {
    "deploy_app": {"vzcreate"},
    "clone_app": {"vzclone"},
    "restore_beside": {"vzrestore", "vzcreate"},
    "create_backup": {"vzdump"},
    "restore_backup": {"vzrestore"},
    "test_backup": {"vzrestore"},
    "restart_app": {"vzreboot"},
}

_NOTICE_S = 0.5
_NO_WAY_BACK = {"delete_app"}


def check_operations(evidence: Evidence) -> Iterator[str]:
    """Say which did not end, were invented, got lost or ran twice."""
    yield from _check_ends(evidence)
    yield from _check_asked(evidence)
    yield from _check_kept(evidence)
    yield from _check_locked(evidence)
    yield from _check_once(evidence)
    yield from _check_cancelled(evidence)
    for service, waiting in evidence.outboxes.items():
        if waiting:
            yield f"{waiting} messages of {service} were never published"


def _check_ends(evidence: Evidence) -> Iterator[str]:
    for one in (*evidence.operations, *evidence.backup_operations):
        name = f"{one['kind']} {one['id']} of {one['subject']}"
        if one["finished_at"] is None:
            waits = f", waiting for {one['waiting_for']}" if one["waiting_for"] else ""
            yield f"{name} is stuck in {one['status']}{waits}"
        elif one["status"] not in _ENDS:
            yield f"{name} ended as {one['status']!r}"
        elif one["status"] == "failed" and not one["error"]:
            yield f"{name} failed without a reason"


def _check_asked(evidence: Evidence) -> Iterator[str]:
    """No operation without a request that may have begun it."""
    keyed = {one.operation_id for one in evidence.history if one.operation_id}
    asked = Counter(
        (one.subject, _KINDS[one.action])
        for one in evidence.history
        if one.action in _KINDS and not one.is_refused
    )
    begun = Counter((one["subject"], one["kind"]) for one in evidence.operations)
    scheduled = find_origins(evidence)
    for (subject, kind), count in begun.items():
        if kind in _KINDS.values() and count > asked[subject, kind]:
            yield f"{subject} had {count} times {kind}, asked for {asked[subject, kind]} times"
    for one in evidence.operations:
        if one["kind"] not in _KINDS.values() and one["id"] not in keyed | scheduled.keys():
            yield f"{one['kind']} {one['id']} of {one['subject']} was asked for by nobody"


def _check_kept(evidence: Evidence) -> Iterator[str]:
    """No accepted request without its operation."""
    known = {one["id"] for one in (*evidence.operations, *evidence.backup_operations)}
    for one in evidence.history:
        if not one.is_accepted or one.status == 200:
            continue
        told = str(one.answer.get("operation_id") or "") if isinstance(one.answer, dict) else ""
        for wanted in {told, one.operation_id if one.action in METHODS else ""} - {""}:
            if wanted not in known:
                yield f"{one.action} of {one.subject or one.key} was accepted and its operation {wanted} is lost"


def _check_locked(evidence: Evidence) -> Iterator[str]:
    """No app was locked for an operation that backups has withdrawn, also where a slot of a policy asked for it."""
    known = {one["id"] for one in evidence.backup_operations}
    for one in evidence.operations:
        if one["kind"] in _DELEGATED and one["id"] not in known:
            yield f"{one['subject']} was locked for the {one['kind']} {one['id']}, which backups does not have"


def _check_once(evidence: Evidence) -> Iterator[str]:
    """No operation had two tasks succeed of which one is enough."""
    succeeded = {
        task["upid"]: task["type"]
        for task in evidence.tasks
        if str(task.get("exitstatus")).startswith(("OK", "WARN"))
    }
    kinds = {one["id"]: one["kind"] for one in (*evidence.operations, *evidence.backup_operations)}
    tasks: dict[str, set[str]] = {}
    for step in (*evidence.steps, *evidence.backup_steps):
        tasks.setdefault(step["operation_id"], set()).update(step["upids"])
    for operation_id, upids in tasks.items():
        once = _ONCE.get(kinds.get(operation_id, ""), set())
        done = [succeeded[upid] for upid in upids if succeeded.get(upid) in once]
        if len(done) > 1:
            yield f"{kinds[operation_id]} {operation_id} ran {' and '.join(sorted(done))}"
    yield from _check_totals(evidence, Counter(succeeded.values()))


def _check_cancelled(evidence: Evidence) -> Iterator[str]:
    """No operation carries out a step that it begins after its cancellation, unless there is no way back."""
    kinds = {one["id"]: one["kind"] for one in evidence.operations}
    asked = {
        str(one.answer.get("id")): one.answered
        for one in reversed(evidence.history)
        if one.action == "cancel" and one.is_accepted
    }
    for step in evidence.steps:
        began, wanted = step["started_at"], asked.get(step["operation_id"])
        if step["status"] != "done" or kinds.get(step["operation_id"]) in _NO_WAY_BACK:
            continue
        if began is not None and wanted is not None and began.timestamp() > wanted + _NOTICE_S:
            late = began.timestamp() - wanted
            yield f"operation {step['operation_id']} began {step['name']} {late:.1f} s after its cancellation"


def _check_totals(evidence: Evidence, done: Counter[str]) -> Iterator[str]:
    """No more succeeded in Proxmox than was begun here, whoever noted it."""
    begun = Counter(one["kind"] for one in (*evidence.operations, *evidence.backup_operations))
    limits = {
        "vzcreate": begun["deploy_app"],
        "vzclone": begun["clone_app"],
        # A restore may make a backup of the app first.
        "vzdump": begun["create_backup"] + begun["restore_backup"],
        "vzrestore": begun["restore_backup"] + begun["restore_beside"] + begun["test_backup"],
        "vzreboot": begun["restart_app"] + begun["update_app"],
    }
    for kind, limit in limits.items():
        if done[kind] > limit:
            yield f"{done[kind]} tasks {kind} succeeded for {limit} operations"


def list_unfinished(evidence: Evidence) -> list[Row]:
    """Operations that have not ended."""
    operations = (*evidence.operations, *evidence.backup_operations)
    return [one for one in operations if one["finished_at"] is None]
