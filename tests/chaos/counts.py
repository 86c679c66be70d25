"""What came up in a storm of backup policies, streams and terminals, so that one without them is visible as such."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, fields

from tests.chaos.checks.policies import list_waits
from tests.chaos.choices import COPIES
from tests.chaos.evidence import Evidence
from tests.chaos.timeline import NEVER, list_made

WHOLE_S = 180.0
"""Seconds from which on a storm has to meet everything; a shorter one may end before the second run."""


@dataclass(frozen=True)
class StormCounts:
    """Numbers of backups, restore tests, deaths, streams and terminals.

    Attributes:
        accepted: requests to change something.
        looks: complete ones at due runs.
        runs: begun by a slot; `copies` on a second storage.
        made: runs and copies that gave a backup.
        waited: runs that were due and waited for something, whether or not they were begun then.
        pruned: removed by retention.
        tests: restore tests that were begun; `passed` and `failed` as their outcome.
        verified: backups that a Proxmox Backup Server has verified.
        died_in_pruning, died_in_tests: workers that were killed in a removal by retention, and in a restore test.
        lost_in_tests: restore tests during which Proxmox went away.
        safety: backups that were made before a restore in place.
        streams: that gave an event; `terminals` that answered what was typed.
    """

    accepted: int
    looks: int
    runs: int
    copies: int
    made: int
    waited: int
    pruned: int
    tests: int
    passed: int
    failed: int
    verified: int
    died_in_pruning: int
    died_in_tests: int
    lost_in_tests: int
    safety: int
    streams: int
    terminals: int

    def render(self) -> str:
        """Render every number with its name."""
        return ", ".join(f"{one.name.replace('_', ' ')} {getattr(self, one.name)}" for one in fields(self))


def count_encounters(evidence: Evidence) -> StormCounts:
    """Count what came up."""
    made = list_made(evidence)
    scheduled = [one for one in made if one.origin is not None]
    pruned = {one.removal for one in made if one.is_pruned}
    tests = [one for one in evidence.backup_operations if one["kind"] == "test_backup"]
    outcomes = Counter(
        "failed" if one["state"].get("failed_step") else "passed"
        for one in tests
        if one["status"] == "succeeded"
    )
    struck = {kind: {one for what, one in evidence.deaths if what == kind} for kind in ("kill", "outage")}
    of_tests = {str(one["id"]) for one in tests}
    return StormCounts(
        accepted=sum(one.is_accepted and one.method != "GET" for one in evidence.history),
        looks=len(evidence.looks),
        runs=sum(not one.origin.is_copy for one in scheduled if one.origin),
        copies=sum(one.origin.is_copy for one in scheduled if one.origin),
        made=sum(one.done < NEVER for one in scheduled),
        waited=len(list_waits(evidence.looks)),
        pruned=len(pruned),
        tests=len(tests),
        passed=outcomes["passed"],
        failed=outcomes["failed"],
        verified=sum(bool(one.get("verification")) for one in evidence.backups),
        died_in_pruning=len(struck["kill"] & pruned),
        died_in_tests=len(struck["kill"] & of_tests),
        lost_in_tests=len(struck["outage"] & of_tests),
        safety=sum(
            one["kind"] == "restore_backup" and bool(one["state"].get("safety_dump"))
            for one in evidence.backup_operations
        ),
        streams=sum(
            one.action == "watch" and one.status == 200 and bool(one.answer) for one in evidence.history
        ),
        terminals=sum(one.action == "terminal" and one.status == 200 for one in evidence.history),
    )


def count_silent_copies(evidence: Evidence, silence_s: float) -> int:
    """Count the copies that printed nothing for so long, and succeeded."""
    return sum(
        task["type"] in COPIES
        and task["exitstatus"] == "OK"
        and task["endtime"] - task["starttime"] >= int(silence_s)
        for task in evidence.tasks
        if task.get("endtime") is not None
    )


# How many of each at least, and what to say of fewer.
_WANTED = {
    "accepted": (11, "hardly any change was accepted"),
    "runs": (1, "no run of a policy came up"),
    "copies": (1, "no backup on a second storage came up"),
    "pruned": (1, "no removal by retention came up"),
    "passed": (1, "no restore test passed"),
    "verified": (1, "no verified backup came up"),
    "died_in_pruning": (1, "no worker died in a removal by retention"),
    "died_in_tests": (1, "no worker died in a restore test"),
    "lost_in_tests": (1, "Proxmox went away in no restore test"),
    "streams": (1, "no event stream came up"),
    "terminals": (1, "no terminal came up"),
}


def find_missing(counts: StormCounts, *, is_whole: bool) -> list[str]:
    """Find the numbers of what a storm has to meet and did not yet; a short one has to meet changes alone."""
    return [
        name
        for name, (least, _) in _WANTED.items()
        if getattr(counts, name) < least and (is_whole or name == "accepted")
    ]


def list_missing(counts: StormCounts, *, is_whole: bool) -> Iterator[str]:
    """Say what a storm has to meet and did not."""
    for name in find_missing(counts, is_whole=is_whole):
        yield f"{_WANTED[name][1]}: this storm proves nothing about it"
