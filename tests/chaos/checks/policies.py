"""Policies make each backup once, and remove their own superfluous ones alone, as a model of what they did says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.chaos.evidence import Evidence
from tests.chaos.looks import Look, Standing
from tests.chaos.timeline import Made, find_slot_operation, list_made

# A process may be stopped for 13 s between its look at the backups and a removal, and not see a test that passed.
_LOOK_S = 15.0


def check_policies(evidence: Evidence) -> Iterator[str]:
    """Say which backups policies made or removed though they may not, which runs are missing, and which apps lost all."""
    made = list_made(evidence)
    keyed = {one.operation_id for one in evidence.history if one.operation_id}
    for one in made:
        if one.origin is None and one.operation not in keyed:
            yield f"backup {one.id} of {one.app} was made by nobody and in no slot of a policy"
        if one.is_pruned:
            yield from _check_pruned(one, made)
    yield from _check_last(evidence, made)
    yield from _check_looks(evidence)
    yield from _check_verified(evidence)


def _check_pruned(one: Made, made: Sequence[Made]) -> Iterator[str]:
    name = f"backup {one.id} of {one.app}"
    if one.origin is None:
        yield f"{name}, which no policy made, was removed though nobody requested it"
        return
    if one.protected < one.removed:
        yield f"{name} was removed by its policy though it was protected"
    newer = [other for other in _list_siblings(one, made) if other.id > one.id and other.exists(one.removed)]
    if not newer:
        yield f"{name} was removed by its policy and was the last good one"
    if one.passed < one.removed - _LOOK_S and not [other for other in newer if other.passed < one.removed]:
        yield f"{name} was removed by its policy and was the last one that passed a restore test"


def _list_siblings(one: Made, made: Sequence[Made]) -> Iterator[Made]:
    """The other backups of the app by the policy on the same storage."""
    for other in made:
        if other.origin is None or one.origin is None or other.id == one.id or other.app != one.app:
            continue
        if (other.origin.policy, other.origin.is_copy) == (one.origin.policy, one.origin.is_copy):
            yield other


def _check_last(evidence: Evidence, made: Sequence[Made]) -> Iterator[str]:
    """An app that still exists has a backup of each policy that made one, unless a person deleted the last one."""
    existing = {str(one["id"]) for one in evidence.apps}
    left = {int(one["id"]) for one in evidence.backups if one["status"] == "completed"}
    groups: dict[tuple[int, str, bool], list[Made]] = {}
    for one in made:
        if one.origin is not None and one.done < float("inf") and one.app in existing:
            groups.setdefault((one.origin.policy, one.app, one.origin.is_copy), []).append(one)
    for (policy, app, is_copy), group in sorted(groups.items()):
        if not any(one.id in left or (one.removal and not one.is_pruned) for one in group):
            kind = "copies" if is_copy else "backups"
            yield f"policy {policy} made {kind} of {app} and has left none"


def _check_looks(evidence: Evidence) -> Iterator[str]:
    """Every run that was due was begun at the first look that could, or there is a reason; each has its operation."""
    operations = {str(one["id"]) for one in evidence.backup_operations}
    missing: set[tuple[int, str, float]] = set()
    lost: set[tuple[int, str, float]] = set()
    for look in evidence.looks:
        for one, slot in look.list_due():
            if one.slot >= slot or one.waiting or _is_leaving(evidence, one.app, look):
                continue
            if not _is_overtaken(evidence.looks, look, slot=slot):
                missing.add((one.policy, one.app, slot))
        for one in look.standings:
            if one.slot and find_slot_operation(one.policy, one.app, one.slot) not in operations:
                lost.add((one.policy, one.app, one.slot))
    for policy, app, slot in sorted(missing):
        yield f"policy {policy} was due for {app} at {slot:.0f}, and was neither begun nor says what it waits for"
    for policy, app, slot in sorted(lost):
        yield f"policy {policy} says that it began the backup of {app} at {slot:.0f}, and there is none"


def _is_overtaken(looks: Sequence[Look], look: Look, *, slot: float) -> bool:
    """Whether a look of before the slot was not over: it takes back what the run before waited for, until the next look."""
    return any(other.began < slot and other.ended > look.began for other in looks)


def _is_leaving(evidence: Evidence, app: str, look: Look) -> bool:
    """Whether an app may have been deleted when it was looked at; an adoption that fails ends an app as well."""
    if app not in {str(one["id"]) for one in evidence.apps}:
        return True
    return any(
        one.action == "delete" and one.subject == app and not one.is_refused and one.sent < look.written
        for one in evidence.history
    )


def _check_verified(evidence: Evidence) -> Iterator[str]:
    """No backup has a verification that its archive does not have."""
    actual = {
        volume["volid"]: str(volume.get("verification") or "") for volume in evidence.after.get("volumes", [])
    }
    for one in evidence.backups:
        found = str(one.get("verification") or "")
        if found and one["volume_id"] in actual and found != actual[one["volume_id"]]:
            yield f"backup {one['id']} is shown as verified {found!r}, its archive as {actual[one['volume_id']]!r}"


def list_waits(looks: Sequence[Look]) -> set[tuple[int, str, float]]:
    """Return the runs that were due at a look and waited for something."""
    return {
        (one.policy, one.app, slot)
        for look in looks
        for one, slot in look.list_due()
        if _is_waiting(one, slot)
    }


def _is_waiting(one: Standing, slot: float) -> bool:
    return one.slot < slot and bool(one.waiting)
