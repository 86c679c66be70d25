"""Periodic work of server and worker, and the consumer of auth's events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from nats.aio.msg import Msg
from proximity.auth.v1 import events_pb2
from proximity.backups.v1 import events_pb2 as backup_events_pb2

from services.apps.convert.feed import (
    parse_backup_broken,
    parse_backup_changed,
    parse_backup_failed,
    parse_backup_overdue,
    parse_restore_test_failed,
)
from services.apps.domain.feed import BackupAlert
from services.apps.store import SqlAppStore
from services.apps.usecases.catalog_updates import CatalogUpdates
from services.apps.usecases.delegated_operations import end_silent_delegations
from services.apps.usecases.dependencies import AppDependencies
from services.apps.usecases.last_backups import refresh_last_backups, refresh_overdue_backups
from services.apps.usecases.reconcile_apps import reconcile_apps
from services.apps.usecases.removed_apps import forget_removed_apps
from services.apps.usecases.snapshot_cleanup import drop_left_snapshots
from services.apps.usecases.stored_values import remove_stored_values
from services.clients.backups.interface import Backups
from services.common.core.clock import now
from services.common.core.log import get_logger
from services.common.core.telemetry.metrics import note_apps
from services.common.messaging.bus import Bus
from services.common.messaging.outbox import Relay
from services.common.messaging.schedule import Periodic

log = get_logger()

USER_DEACTIVATED = "events.auth.v1.user_deactivated"
BACKUP_CHANGED = "events.backups.v1.backup_changed"
_BACKUP_EVENTS = "events.backups.v1"
_ALERTS: Mapping[str, Callable[[bytes], BackupAlert]] = {
    "backup_failed": parse_backup_failed,
    "backup_broken": parse_backup_broken,
    "backup_overdue": parse_backup_overdue,
    "restore_test_failed": parse_restore_test_failed,
}
_REVISION_PUBLISHED = "events.catalog.v1.revision_published"
_UPDATES_INTERVAL = timedelta(minutes=1)  # for a publication whose event was lost: an update is never urgent
_UPDATES_RETRY_S = 2.0  # the catalog starts together with this service
# States that make a backup the newest restorable one, or no longer that; progress and beginnings change nothing.
_RESTORABLE_CHANGES = frozenset({"completed", "deleting", "missing", "deleted"})
_LAST_BACKUPS = timedelta(
    hours=1
)  # for a change whose message was lost, and after an update from a release without
_OVERDUE = timedelta(minutes=1)  # what is overdue follows from the time: no message announces it
_LAST_BACKUPS_RETRY_S = 15.0  # backups starts together with this service
_EVENTS_LIFETIME = timedelta(days=90)  # as long as a user looks back; 1 KiB each
_SILENCE_S = 120.0  # of a delegated operation: four times as long as backups is silent between two reports
_VALUES = timedelta(hours=1)  # a worker of an earlier release may write values until all of them are gone
_VALUES_RETRY_S = 15.0  # the catalog starts together with this service


def follow_departures(bus: Bus, store: SqlAppStore, *, relay: Relay) -> None:
    """Consume events of users whose sign-in was withdrawn: stop their deployments, hand over apps of removed ones."""

    # Delivery is at least once: a repetition finds nothing to stop or to hand over.
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


def follow_backups(bus: Bus, store: SqlAppStore, *, backups: Backups) -> None:
    """Consume changes of backups, which apps and streams of events show."""

    # A repetition reads once more and notes the event once.
    async def handle(message: Msg) -> None:
        changed = backup_events_pb2.BackupChanged.FromString(message.data)
        sequence = message.metadata.sequence.stream
        message_id = (message.headers or {}).get("Nats-Msg-Id") or f"backup-changed-{sequence}"
        # First the app: who reads it after the event sees this backup. While backups does not answer, the event alone;
        # the message is delivered again, and the app follows.
        try:
            if changed.status in _RESTORABLE_CHANGES:
                await refresh_last_backups(store, backups, app_ids=[changed.app_id])
                await refresh_overdue_backups(store, backups)
        finally:
            await store.note_backup(parse_backup_changed(changed), message_id=message_id)

    bus.consume("EVENTS", BACKUP_CHANGED, durable="apps-backup-changed", handler=handle)


def follow_backup_alerts(bus: Bus, store: SqlAppStore) -> None:
    """Consume faults of backups and of runs that should have made one, which streams of events show."""

    def make_handler(parse: Callable[[bytes], BackupAlert]) -> Callable[[Msg], Awaitable[None]]:
        async def handle(message: Msg) -> None:
            sequence = message.metadata.sequence.stream
            message_id = (message.headers or {}).get("Nats-Msg-Id") or f"backup-alert-{sequence}"
            await store.note_backup_alert(parse(message.data), message_id=message_id)

        return handle

    for name, parse in _ALERTS.items():
        durable = f"apps-{name.replace('_', '-')}"
        bus.consume("EVENTS", f"{_BACKUP_EVENTS}.{name}", durable=durable, handler=make_handler(parse))


def refresh_catalog_updates(updates: CatalogUpdates, bus: Bus) -> Periodic:
    """Refresh the newest revisions when the catalog publishes, and every minute in case an event was lost."""
    return Periodic(
        name="newest_revisions",
        interval=_UPDATES_INTERVAL,
        function=updates.refresh,
        in_every_process=True,
        retry_s=_UPDATES_RETRY_S,
    ).trigger_by(bus, _REVISION_PUBLISHED)


async def measure_apps(store: SqlAppStore) -> None:
    """Note how many apps there are by status, for metrics."""
    note_apps(await store.count_by_status(owner=None))


def list_periodic_work(
    dependencies: AppDependencies, store: SqlAppStore, *, backups: Backups
) -> list[Periodic]:
    """List the repeated work of the workers."""

    async def reconcile() -> None:
        result = await reconcile_apps(dependencies)
        log.info("reconciled", checked=result.checked, findings=len(result.findings))
        for found in result.findings:
            # These two do not heal: an administrator has to decide, and may have an alert on the log.
            if found.type in {"orphan", "duplicate"}:
                where = {"host_id": found.host_id, "vmid": found.vmid}
                log.warning("container_found", kind=found.type, message=found.message, **where)

    async def clean_up() -> None:
        log.info(
            "cleaned_up",
            events=await store.prune_events(before=now() - _EVENTS_LIFETIME),
            revived_operations=await store.replay_all(),
            snapshots=await drop_left_snapshots(store, dependencies.containers),
            removed_apps=await forget_removed_apps(store, dependencies.backups),
        )

    async def end_delegations() -> None:
        if ended := await end_silent_delegations(store, backups, seconds=_SILENCE_S):
            log.warning("silent_delegations_ended", count=ended)

    async def remove_values() -> None:
        if count := await remove_stored_values(store, dependencies.catalog):
            log.info("stored_values_removed", apps=count)

    return [
        Periodic(name="reconcile", interval=timedelta(hours=1), function=reconcile),
        Periodic(name="janitor", interval=timedelta(hours=6), function=clean_up),
        Periodic(name="holds", interval=timedelta(minutes=1), function=end_delegations),
        *_list_backup_work(store, backups),
        Periodic(
            name="stored_values",
            interval=_VALUES,
            function=remove_values,
            in_every_process=True,  # at the start of each: no value may stay until a schedule is due
            retry_s=_VALUES_RETRY_S,
        ),
    ]


def _list_backup_work(store: SqlAppStore, backups: Backups) -> list[Periodic]:
    async def refresh_last() -> None:
        if changed := await refresh_last_backups(store, backups):
            log.info("last_backups_refreshed", apps=changed)

    async def refresh_overdue() -> None:
        if changed := await refresh_overdue_backups(store, backups):
            log.info("overdue_backups_refreshed", apps=changed)

    retry_s = _LAST_BACKUPS_RETRY_S
    return [
        Periodic(name="last_backups", interval=_LAST_BACKUPS, function=refresh_last, retry_s=retry_s),
        Periodic(name="overdue_backups", interval=_OVERDUE, function=refresh_overdue, retry_s=retry_s),
    ]
