"""When each backup was made, tested and removed, and by whom, from the operations alone: their rows outlive backups."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from tests.chaos.evidence import Evidence, Row
from tests.chaos.looks import SLOT_S, SPEED

NEVER = float("inf")
_START_S = 600.0  # the longest that a platform takes from its start to the first backup
_OF_BACKUP = re.compile(r"/backups/(\d+)$")


@dataclass(frozen=True)
class Origin:
    """What of a policy began a backup: a slot, or for a copy the backup before it (and slot 0)."""

    policy: int
    app: str
    slot: float
    is_copy: bool = False


@dataclass(frozen=True, kw_only=True)
class Made:
    """A backup that was begun; times in epoch seconds, `NEVER` for what did not happen.

    Attributes:
        operation: that made it.
        origin: of one that a policy made; None: a person's.
        done: when it was completed.
        passed: when a restore test of it passed.
        protected: since when it was certainly protected.
        removal: of the operation that removes it; empty: none does.
        removed: when that was begun.
        is_pruned: it was removed though no person requested that.
    """

    id: int
    app: str
    operation: str
    origin: Origin | None
    done: float
    passed: float
    protected: float
    removal: str
    removed: float
    is_pruned: bool

    def exists(self, at: float) -> bool:
        """Whether it was completed and not being removed."""
        return self.done <= at < self.removed


def list_made(evidence: Evidence) -> list[Made]:
    """Return every backup that was begun, oldest first."""
    origins, removals = find_origins(evidence), _find_removals(evidence)
    passed, protected, requested = (
        _find_passed(evidence),
        _find_protected(evidence),
        _find_requested(evidence),
    )
    return sorted(
        (
            Made(
                id=number,
                app=str(one["subject"]),
                operation=str(one["id"]),
                origin=origins.get(one["id"]),
                done=_epoch(one["finished_at"]) if one["status"] == "succeeded" else NEVER,
                passed=passed.get(number, NEVER),
                protected=protected.get(number, NEVER),
                removal=str(removal["id"]) if removal else "",
                removed=_epoch(removal["created_at"]) if removal else NEVER,
                is_pruned=removal is not None and number not in requested,
            )
            for one, number in _list_creations(evidence)
            for removal in [removals.get(number)]
        ),
        key=lambda one: one.id,
    )


def find_origins(evidence: Evidence) -> Mapping[str, Origin]:
    """Return what policies may have begun, by the id of its operation: each slot and each copy has one."""
    creations = [one for one, _ in _list_creations(evidence)]
    if not creations:
        return {}
    apps = {str(one["subject"]) for one in creations}
    times = [_epoch(one["created_at"]) for one in creations]
    # The clock of policies is ahead by twice the time since the platform was started, which is in the first of these.
    first, last = min(times) - SLOT_S, max(times) + (SPEED - 1) * (max(times) - min(times) + _START_S)
    slots = range(int(first) // SLOT_S, int(last) // SLOT_S + 1)
    found: dict[str, Origin] = {}
    for policy in (int(one["id"]) for one in evidence.policies):
        for app in apps:
            for slot in (number * SLOT_S for number in slots):
                moment = datetime.fromtimestamp(slot, UTC).isoformat()
                found[_hash(f"{policy}/{app}/{moment}")] = Origin(policy, app, slot)
        for one, number in _list_creations(evidence):
            app = str(one["subject"])
            found[_hash(f"{policy}/{app}/copy of {number}")] = Origin(policy, app, 0, is_copy=True)
    return found


def find_slot_operation(policy: int, app: str, slot: float) -> str:
    """Return the id of the operation of a slot."""
    return _hash(f"{policy}/{app}/{datetime.fromtimestamp(slot, UTC).isoformat()}")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _list_creations(evidence: Evidence) -> Iterator[tuple[Row, int]]:
    for one in evidence.backup_operations:
        if one["kind"] == "create_backup":
            yield one, int(one["state"]["backup_id"])


def _find_removals(evidence: Evidence) -> dict[int, Row]:
    """The removal of each backup; one that failed has left the backup."""
    found: dict[int, Row] = {}
    for one in sorted(evidence.backup_operations, key=lambda one: _epoch(one["created_at"])):
        if one["kind"] == "delete_backup" and one["status"] != "failed":
            found.setdefault(int(one["subject"].partition("/")[2]), one)
    return found


def _find_passed(evidence: Evidence) -> dict[int, float]:
    found: dict[int, float] = {}
    for one in evidence.backup_operations:
        if one["kind"] == "test_backup" and one["status"] == "succeeded" and one["state"].get("is_done"):
            found.setdefault(int(one["state"]["backup_id"]), _epoch(one["finished_at"]))
    return found


def _find_protected(evidence: Evidence) -> dict[int, float]:
    """Nobody takes a protection off in a storm."""
    found: dict[int, float] = {}
    for one in evidence.history:
        number = _OF_BACKUP.search(one.path)
        if one.action == "protect" and one.is_accepted and number:
            found.setdefault(int(number.group(1)), one.answered)
    return found


def _find_requested(evidence: Evidence) -> set[int]:
    return {
        int(number.group(1))
        for one in evidence.history
        if one.action == "delete_backup" and not one.is_refused and (number := _OF_BACKUP.search(one.path))
    }


def _epoch(moment: datetime) -> float:
    return moment.timestamp()
