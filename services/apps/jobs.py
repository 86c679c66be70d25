"""NATS in and periodic work of the worker."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from nats.aio.msg import Msg
from proximity.auth.v1 import events_pb2

from services.apps.clients import GrpcBackups
from services.apps.domain.holding import end_silent_holds
from services.apps.domain.interfaces import Containers
from services.apps.domain.leftovers import drop_left_snapshots
from services.apps.domain.neighbours import Catalog
from services.apps.domain.reconciling import Reconciler
from services.apps.domain.removed import forget_removed_apps
from services.apps.domain.stored_values import remove_stored_values
from services.apps.store import RUN_OPERATION, SqlAppStore
from services.common.core.clock import now
from services.common.core.errors import DomainError
from services.common.core.log import get_logger
from services.common.messaging.bus import Bus
from services.common.messaging.outbox import Relay

log = get_logger()

USER_DEACTIVATED = "events.auth.v1.user_deactivated"
_RECONCILE = timedelta(hours=1)
_JANITOR = timedelta(hours=6)
_KEEP_EVENTS = timedelta(days=90)
_HOLDS = timedelta(minutes=1)
_SILENCE_S = 120.0
_LOOK_S = 30.0
_VALUES_S = 3600.0  # a release before this one may write values until all of its workers are gone
_RETRY_S = 15.0  # the catalog starts together with this service


def wake_on_jobs(bus: Bus, wake: asyncio.Event) -> None:
    """Wake the engine whenever an operation is queued; the database says what there is to do."""

    async def handle(_: Msg) -> None:
        wake.set()

    bus.consume("JOBS", RUN_OPERATION, durable="apps-run", handler=handle)


def follow_departures(bus: Bus, store: SqlAppStore, relay: Relay) -> None:
    """Stop the deployments of users who may not sign in any more, and hand the apps of removed ones over."""

    async def handle(message: Msg) -> None:
        gone = events_pb2.UserDeactivated.FromString(message.data)
        done = await store.release_user(gone.user_id, apps_to=gone.apps_to or None)
        relay.wake()
        log.info(
            "user_departed",
            user_id=gone.user_id,
            deleted=gone.deleted,
            stopped=done.stopped,
            moved=done.moved,
        )

    bus.consume("EVENTS", USER_DEACTIVATED, durable="apps-user-deactivated", handler=handle)


async def remove_values_of_earlier_releases(store: SqlAppStore, catalog: Catalog) -> None:
    """Take values out of definitions that an earlier release stored: at the start, then as often as one may run beside."""
    while True:
        delay = _VALUES_S
        try:
            if count := await remove_stored_values(store, catalog):
                log.info("stored_values_removed", apps=count)
        except DomainError as error:
            log.warning("stored_values_not_removed", error=error.message)
            delay = _RETRY_S
        await asyncio.sleep(delay)


async def run_schedules(
    store: SqlAppStore, reconciler: Reconciler, backups: GrpcBackups, *, containers: Containers
) -> None:
    """Reconcile hourly, clean up six-hourly and end silent holds, in one worker at a time, for ever."""
    while True:
        for name, every in (("reconcile", _RECONCILE), ("janitor", _JANITOR), ("holds", _HOLDS)):
            try:
                if await store.claim_schedule(name, every=every):
                    await _run_schedule(name, store, reconciler, backups=backups, containers=containers)
            except DomainError as error:
                log.warning("schedule_failed", schedule=name, error=error.message)
        await asyncio.sleep(_LOOK_S)


async def _run_schedule(
    name: str, store: SqlAppStore, reconciler: Reconciler, *, backups: GrpcBackups, containers: Containers
) -> None:
    match name:
        case "reconcile":
            result = await reconciler.reconcile()
            log.info("reconciled", checked=result.checked, findings=len(result.findings))
            for found in result.findings:
                if found.type in {"orphan", "duplicate"}:
                    log.warning(
                        "container_found",
                        kind=found.type,
                        host_id=found.host_id,
                        vmid=found.vmid,
                        message=found.message,
                    )
        case "janitor":
            removed = await store.prune_events(before=now() - _KEEP_EVENTS)
            revived = await store.replay_all()
            snapshots = await drop_left_snapshots(store, containers)
            records = await forget_removed_apps(store, backups)
            log.info(
                "cleaned_up",
                events=removed,
                revived_operations=revived,
                snapshots=snapshots,
                removed_apps=records,
            )
        case "holds":
            if ended := await end_silent_holds(store, backups, seconds=_SILENCE_S):
                log.warning("silent_holds_ended", count=ended)
