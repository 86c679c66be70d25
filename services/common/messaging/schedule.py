"""Repeated work: by one process of all replicas through a claimed row, or by every process for itself.

The row of a schedule names the time of its next run. A process that finds it due moves it on in one statement and runs
the work; the others find it in the future. A process that dies during a run leaves that run to the next period, so the
work must be idempotent and must find what an earlier run did not do.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa
from nats.aio.msg import Msg

from services.common.core.clock import Clock, now
from services.common.core.errors import DomainError
from services.common.core.log import get_logger
from services.common.db.database import Database, UtcDateTime, insert_ignore
from services.common.messaging.bus import Bus

log = get_logger()

_CLAIM_S = 30.0  # between attempts to claim a schedule: how late a run may be, for one small query a process
# Clocks of replicas differ by less; a later next run was written before the clock was set back, and would not come.
_SKEW = timedelta(minutes=5)
TABLE = "schedules"


def define_table(metadata: sa.MetaData) -> sa.Table:
    """Define the table of schedules in a service's metadata."""
    return sa.Table(
        TABLE,
        metadata,
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("next_run_at", UtcDateTime, nullable=False),
    )


@dataclass(frozen=True, kw_only=True)
class Periodic:
    """Work that is repeated for as long as the process runs.

    A run that raises a `DomainError` is logged and repeated after `retry_s`; any other error ends the process, whose
    supervisor starts it again.

    Attributes:
        name: constant snake_case; key of the schedule and name in the log.
        interval: from the beginning of one run to the next.
        function: one run; idempotent.
        in_every_process: each replica runs it for itself, at its start and then once per interval, because the result
            stays in its memory. Otherwise one process of all replicas runs it, for the first time one interval after
            the service was installed.
        retry_s: seconds until a run that failed in this process is repeated; None: at the next interval.
        trigger: an event that starts the next run at once.
    """

    name: str
    interval: timedelta
    function: Callable[[], Awaitable[object]]
    in_every_process: bool = False
    retry_s: float | None = None
    trigger: asyncio.Event = field(default_factory=asyncio.Event)

    def trigger_by(self, bus: Bus, subject: str) -> Periodic:
        """Run at once when a message on `subject` arrives, and after every connection, before which some may be lost."""
        is_listening = False

        async def note_message(_: Msg) -> None:
            self.trigger.set()

        async def listen() -> None:
            nonlocal is_listening
            if not is_listening:  # a subscription outlives a lost connection
                await bus.listen(subject, note_message)
                is_listening = True
            self.trigger.set()

        bus.on_connect(listen)
        return self

    async def run(self, schedules: SqlSchedules) -> None:
        """Repeat the work, for ever."""
        interval_s = self.interval.total_seconds()
        while True:
            delay = interval_s if self.in_every_process else min(interval_s, _CLAIM_S)
            self.trigger.clear()
            try:
                if self.in_every_process or await schedules.claim(self.name, interval=self.interval):
                    await self.function()
            except DomainError as error:
                log.warning("periodic_work_failed", name=self.name, error=error.message)
                delay = self.retry_s or delay
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay):  # wait_for of Python 3.11 loses a cancellation
                    await self.trigger.wait()


class SqlSchedules:
    """The schedules of a service, shared by all of its processes."""

    def __init__(self, db: Database, table: sa.Table, *, clock: Clock = now) -> None:
        self._db = db
        self._table = table
        self._clock = clock

    async def claim(self, name: str, *, interval: timedelta) -> bool:
        """Claim the run of a schedule that is due; False when it is not due or another process claimed it.

        Raises:
            UnavailableError: the database does not answer.
        """
        table, current = self._table, self._clock()
        far = current + interval + _SKEW
        is_due = sa.and_(
            table.c.name == name, sa.or_(table.c.next_run_at <= current, table.c.next_run_at > far)
        )

        def find(connection: sa.Connection) -> datetime | None:
            query = sa.select(table.c.next_run_at).where(table.c.name == name)
            return connection.execute(query).scalar_one_or_none()

        def move(connection: sa.Connection) -> bool:
            new = insert_ignore(table, connection).values(name=name, next_run_at=current + interval)
            connection.execute(new)
            query = table.update().where(is_due).values(next_run_at=current + interval)
            return bool(connection.execute(query).rowcount)

        due_at = await self._db.read(find)  # a look without a write transaction, which SQLite has one of
        if due_at is not None and current < due_at <= far:
            return False
        return await self._db.write(move)
