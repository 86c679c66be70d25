"""Looks at due runs: what each policy had done for each app when one was complete, as `hurried` wrote it down."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LOOKS = "CHAOS_LOOKS"
"""Name of the setting with the file of the looks."""

ORIGIN = "CHAOS_ORIGIN"
"""Name of the setting with the time since which policies go faster, in epoch seconds."""

SPEED = 3  # of the clock of policies: nine runs within a storm of three minutes
SLOT_S = 60  # of that clock: every policy of a storm has `* * * * *`
MADE_UP_S = SLOT_S / 2  # a run that is later than half of the interval is not made up


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A policy and an app after a look; times in epoch seconds of the clock of policies.

    Attributes:
        since: slots up to then are not due.
        slot: the newest one whose backup was begun; 0 before the first.
        waiting: what holds the run up that is due; empty: nothing.
    """

    policy: int
    app: str
    since: float
    slot: float
    waiting: str


@dataclass(frozen=True)
class Look:
    """A complete look at due runs: from when to when by the clock of policies, and when by that of the platform."""

    began: float
    ended: float
    written: float
    standings: Sequence[Standing]

    def list_due(self) -> Iterator[tuple[Standing, float]]:
        """Yield what was due throughout the look, with its slot."""
        slot = self.began // SLOT_S * SLOT_S
        if self.ended - slot >= MADE_UP_S:
            return
        for one in self.standings:
            if one.since < slot:
                yield one, slot


def read_looks(file: Path) -> list[Look]:
    """Read the looks in the order of their ends; none where there is no file."""
    return [_parse(line) for line in file.read_text().splitlines()] if file.exists() else []


def _parse(line: str) -> Look:
    found = json.loads(line)
    since = {one["id"]: one["since"] for one in found["policies"] if one["enabled"]}
    return Look(
        found["began"],
        found["ended"],
        found["written"],
        tuple(_parse_run(run, since) for run in found["runs"] if run["policy"] in since),
    )


def _parse_run(run: Mapping[str, object], since: Mapping[int, float]) -> Standing:
    policy = int(str(run["policy"]))
    return Standing(
        policy=policy,
        app=str(run["app"]),
        since=max(since[policy], float(str(run["since"]))),
        slot=float(str(run["slot"])),
        waiting=str(run["waiting"]),
    )
