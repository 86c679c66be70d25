"""Overtime: a storm goes on gently, without faults, until everything that it has to meet came up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from services.common.db.transactions import DatabaseUnavailableError
from tests.chaos.blows import Storm
from tests.chaos.choices import choose_gentle_actions
from tests.chaos.counts import StormCounts, count_encounters, find_missing
from tests.chaos.evidence import Evidence
from tests.chaos.history import History
from tests.chaos.users import User

LIMIT_S = 240.0  # twelve runs of policies: what is rarest, a death in a removal by retention, takes three on an idle machine
LEAST_S = (
    25.0  # one run of policies that no fault disturbs, which a whole storm has even when nothing is missing
)
_COUNT_S = 3.0  # between two counts, each of which reads some hundred rows
_ACTIONS = 1000  # more than a user can carry out within the limit
# What a blow has to bring about, and no action of a user can.
_AMBUSHES = {
    "died_in_pruning": ("ambush_kill", "delete_backup"),
    "died_in_tests": ("ambush_kill", "test_backup"),
    "lost_in_tests": ("ambush_outage", "test_backup"),
}


@dataclass(frozen=True, kw_only=True)
class Overtime:
    """The end of a storm.

    Args:
        storm: strikes no more but in ambush, where a death is missing.
        users: act gently.
        history: what they did so far.
        is_whole: whether the storm has to meet everything.
    """

    storm: Storm
    users: Sequence[User]
    history: History
    is_whole: bool

    async def run(self, seed: int) -> float:
        """Go on until nothing is missing, for at most `LIMIT_S`; returns the seconds that it took."""
        began = time.monotonic()
        await self.storm.end_faults()
        if await self._is_complete(0.0):
            return 0.0
        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for user in self.users:
                group.create_task(self._act(user, seed, over=over))
            while not await self._is_complete(time.monotonic() - began):  # noqa: ASYNC110 - other processes decide when
                await asyncio.sleep(_COUNT_S)
            over.set()
        return time.monotonic() - began

    async def _act(self, user: User, seed: int, *, over: asyncio.Event) -> None:
        """Act until it is over; each action ends, as one without an answer would be no exchange."""
        for choice in choose_gentle_actions(seed, user=user.index, count=_ACTIONS):
            if over.is_set():
                return
            await user.carry_out([choice], until=float("inf"), others=self.users)

    async def _is_complete(self, seconds: float) -> bool:
        if seconds > LIMIT_S:
            return True
        counts = await self._count()
        missing = find_missing(counts, is_whole=self.is_whole) if counts else ["counts"]
        if not missing:
            return seconds > LEAST_S or not self.is_whole
        await self.storm.verify()
        for name in missing:
            if name in _AMBUSHES:
                self.storm.add_ambush(*_AMBUSHES[name])
        return False

    async def _count(self) -> StormCounts | None:
        """Count what came up so far; None: the database does not answer yet."""
        try:
            rows = await self.storm.read_backups()
        except (DatabaseUnavailableError, sa.exc.SQLAlchemyError):
            return None
        deaths = tuple(self.storm.deaths)
        return count_encounters(Evidence(history=tuple(self.history), deaths=deaths, **rows))
