"""NATS in and periodic work of the worker."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from nats.aio.msg import Msg

from services.apps.domain.reconciling import Reconciler
from services.apps.store import RUN_OPERATION, SqlAppStore
from services.common.clock import now
from services.common.errors import DomainError
from services.common.log import get_logger
from services.common.messaging import Bus

log = get_logger()

_RECONCILE = timedelta(hours=1)
_JANITOR = timedelta(hours=6)
_KEEP_EVENTS = timedelta(days=90)
_OVERDUE = timedelta(hours=12)  # no operation of ours may take longer
_LOOK_S = 30.0


def wake_on_jobs(bus: Bus, wake: asyncio.Event) -> None:
    """Wake the engine whenever an operation is queued; the database says what there is to do."""

    async def handle(_: Msg) -> None:
        wake.set()

    bus.consume("JOBS", RUN_OPERATION, durable="apps-run", handler=handle)


async def run_schedules(store: SqlAppStore, reconciler: Reconciler) -> None:
    """Reconcile hourly and clean up six-hourly, in one worker at a time, for ever."""
    while True:
        try:
            if await store.claim_schedule("reconcile", every=_RECONCILE):
                result = await reconciler.reconcile()
                log.info("reconciled", checked=result.checked, findings=len(result.findings))
            if await store.claim_schedule("janitor", every=_JANITOR):
                stuck = await store.cancel_overdue(before=now() - _OVERDUE)
                removed = await store.prune_events(before=now() - _KEEP_EVENTS)
                log.info("cleaned_up", events=removed, overdue_operations=stuck)
        except DomainError as error:
            log.warning("schedule_failed", error=error.message)
        await asyncio.sleep(_LOOK_S)
