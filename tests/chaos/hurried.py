"""`python -m tests.chaos.hurried serve | work`: backups as it is, with policies that run every 20 s and a record of it.

A storm of three minutes meets no policy otherwise: schedules have at least 15 minutes between two runs, and retention and
restore tests are looked at every few minutes. Only these times differ: policies may run every minute, and the clock by which
they are looked at is three times as fast. What is done at each look is the service's own.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from services.backups import jobs, server
from services.backups.config import BackupsSettings
from services.backups.domain import schedules
from services.backups.store.tables import idempotency
from services.backups.usecases.context import BackupDependencies
from services.common.core.clock import now
from services.common.messaging.schedule import Periodic
from services.common.process import lifecycle
from services.common.process.commands import main
from services.common.rpc.interceptors.idempotency import seal_column
from tests.chaos.looks import LOOKS, ORIGIN, SPEED

_SHORTEST = timedelta(minutes=1)  # cron has no finer runs
# Several looks within the ten seconds in which a run may begin.
_INTERVALS = {
    "policies": timedelta(seconds=2),
    "retention": timedelta(seconds=5),
    "restore_tests": timedelta(seconds=5),
    "stale_tests": timedelta(seconds=15),
    "comparison": timedelta(seconds=20),
    "storage_reading": timedelta(seconds=30),
}


def hurried_now() -> datetime:
    """Return the time of policies, which went with the platform's when that was started."""
    origin = datetime.fromtimestamp(float(os.environ[ORIGIN]), UTC)
    return origin + SPEED * (now() - origin)


def hurry(work: Callable[[lifecycle.Service], Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
    """Have `lifecycle.work` repeat the work of policies in short intervals."""

    async def run(service: lifecycle.Service) -> None:
        background = [
            dataclasses.replace(one, interval=_INTERVALS.get(one.name, one.interval))
            if isinstance(one, Periodic)
            else one
            for one in service.background
        ]
        await work(dataclasses.replace(service, background=background))

    return run


def record_looks(plan: Callable[[BackupDependencies], Periodic]) -> Callable[[BackupDependencies], Periodic]:
    """Have each look at due runs, when it is complete, written down with the standing of every run after it."""

    def plan_recorded(dependencies: BackupDependencies) -> Periodic:
        planned = plan(dependencies)

        async def run() -> None:
            began = hurried_now()
            await planned.function()
            await _write_look(dependencies, began)

        return dataclasses.replace(planned, function=run)

    return plan_recorded


async def _write_look(dependencies: BackupDependencies, began: datetime) -> None:
    ended = hurried_now()
    runs = await dependencies.policies.list_runs()
    look = {
        "began": began.timestamp(),
        "ended": ended.timestamp(),
        "written": now().timestamp(),
        # After the runs: a policy that was changed in between applies since then, which excuses more and never less.
        "policies": [
            {"id": one.id, "since": one.applies_since.timestamp(), "enabled": one.settings.enabled}
            for one in await dependencies.policies.list_policies()
        ],
        "runs": [
            {
                "policy": policy_id,
                "app": app_id,
                "since": one.began_at.timestamp(),
                "slot": one.last_slot.timestamp() if one.last_slot else 0,
                "waiting": one.waiting_for,
            }
            for (policy_id, app_id), one in runs.items()
        ],
    }
    file = os.open(os.environ[LOOKS], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, json.dumps(look).encode() + b"\n")  # in one call: two workers write to this file
    finally:
        os.close(file)


if __name__ == "__main__":
    schedules._MIN_INTERVAL = _SHORTEST
    setattr(lifecycle, "work", hurry(lifecycle.work))  # noqa: B010 - mypy takes functions of modules for constants
    setattr(jobs, "now", hurried_now)  # noqa: B010
    setattr(server, "plan_scheduled_backups", record_looks(jobs.plan_scheduled_backups))  # noqa: B010
    sys.exit(
        main(
            "backups",
            BackupsSettings,
            serve=server.serve,
            work=server.work,
            sealed=[seal_column(idempotency)],
        )
    )
