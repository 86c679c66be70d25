"""Consumers of NATS and repeated work of the worker."""

from __future__ import annotations

from datetime import timedelta

from nats.aio.msg import Msg
from proximity.apps.v1 import events_pb2
from proximity.auth.v1 import events_pb2 as auth_events_pb2

from services.backups.domain.interfaces import BackupStore
from services.backups.domain.policy_store import Policies
from services.backups.usecases.check_backup import start_due_checks
from services.backups.usecases.context import BackupDependencies
from services.backups.usecases.external_archives import note_external_archives, sample_storages
from services.backups.usecases.missing_archives import note_missing_archives
from services.backups.usecases.removed_apps import delete_requested_backups, note_removed_apps
from services.backups.usecases.restore_tests import remove_stale_tests, start_due_tests
from services.backups.usecases.scheduled_backups import (
    announce_overdue_backups,
    remove_superfluous_backups,
    start_due_backups,
)
from services.backups.usecases.second_storages import start_due_copies
from services.clients.apps.interface import Apps
from services.clients.inventory.interface import Containers
from services.common.core.clock import now
from services.common.core.log import get_logger
from services.common.messaging.bus import Bus
from services.common.messaging.schedule import Periodic

log = get_logger()

APP_REMOVED = "events.apps.v1.app_removed"
USER_DEACTIVATED = "events.auth.v1.user_deactivated"


class BackupJobs:
    """Consumers of events about apps and their owners."""

    def __init__(self, store: BackupStore, policies: Policies) -> None:
        self._store = store
        self._policies = policies

    def start(self, bus: Bus) -> None:
        """Start the consumers; call it within an event loop."""
        bus.consume("EVENTS", APP_REMOVED, durable="backups-app-removed", handler=self.note_app_removed)
        bus.consume(
            "EVENTS", USER_DEACTIVATED, durable="backups-user-deactivated", handler=self.hand_over_backups
        )

    async def note_app_removed(self, message: Msg) -> None:
        """Mark the backups of a deleted app, and begin to delete those that go with it."""
        removed = events_pb2.AppRemoved.FromString(message.data)
        # A message of a release before has no id of its own.
        message_id = (message.headers or {}).get("Nats-Msg-Id") or f"removed-{removed.app_id}"
        delete = removed.delete_backups
        await self._store.note_app_removed(removed.app_id, message_id=message_id, delete=delete)
        if delete:
            # At once: room on the storage is what people wait for. The hourly work makes up for lost events alone.
            await delete_requested_backups(self._store)

    async def hand_over_backups(self, message: Msg) -> None:
        """Give backups and policies of a removed user, those of deleted apps included, to the new owner of the apps."""
        gone = auth_events_pb2.UserDeactivated.FromString(message.data)
        # Without a new owner the administrators see them, by their ids, as before.
        if gone.apps_to:
            await self._store.hand_over(gone.user_id, to=gone.apps_to)
            await self._policies.hand_over_policies(gone.user_id, to=gone.apps_to)


def plan_cleanup(store: BackupStore, apps: Apps) -> Periodic:
    """Plan the hourly work that makes up for lost events and resumes operations that were given up."""

    async def clean_up() -> None:
        if revived := await store.revive_operations():
            log.warning("operations_revived", count=revived)
        if removed := await note_removed_apps(store, apps):
            log.warning("removed_apps_noted", count=removed)
        if begun := await delete_requested_backups(store):
            log.info("requested_deletions_begun", count=begun)

    return Periodic(
        name="tidying", interval=timedelta(hours=1), function=clean_up
    )  # a stored name, as in 1.x


def plan_comparison(store: BackupStore, containers: Containers) -> Periodic:
    """Plan the comparison of backups with archives: one listing for each container that has backups."""

    async def compare() -> None:
        if missing := await note_missing_archives(store, containers):
            log.warning("archives_missing", count=missing)

    return Periodic(name="comparison", interval=timedelta(minutes=10), function=compare)


def plan_storage_reading(dependencies: BackupDependencies) -> Periodic:
    """Plan the reading of external archives and of how full storages are: two requests for each host."""

    async def read() -> None:
        current = now()
        external = await note_external_archives(dependencies)
        log.info(
            "storages_read", external=external, storages=await sample_storages(dependencies, now=current)
        )

    return Periodic(name="storage_reading", interval=timedelta(minutes=30), function=read)


def plan_scheduled_backups(dependencies: BackupDependencies) -> Periodic:
    """Plan the work of policies: due backups, and the announcement of overdue ones."""

    async def run() -> None:
        current = now()
        if begun := await start_due_backups(dependencies, now=current):
            log.info("scheduled_backups_begun", count=begun)
        if copied := await start_due_copies(dependencies, now=current):
            log.info("copies_begun", count=copied)
        await announce_overdue_backups(dependencies, now=current)

    return Periodic(name="policies", interval=timedelta(seconds=30), function=run)


def plan_retention(dependencies: BackupDependencies) -> Periodic:
    """Plan the removal of backups that the retention of their policy does not keep: one query per policy."""

    async def run() -> None:
        if removed := await remove_superfluous_backups(dependencies, now=now()):
            log.info("superfluous_backups_deleted", count=removed)

    return Periodic(name="retention", interval=timedelta(minutes=2), function=run)


def plan_restore_tests(dependencies: BackupDependencies) -> tuple[Periodic, ...]:
    """Plan the restore tests and checks of archives that policies request, and the removal of what crashed tests left."""

    async def start() -> None:
        if begun := await start_due_tests(dependencies, now=now()):
            log.info("restore_tests_begun", count=begun)
        if checked := await start_due_checks(dependencies, now=now()):
            log.info("archive_checks_begun", count=checked)

    async def remove() -> None:
        if removed := await remove_stale_tests(dependencies):
            log.warning("stale_tests_removed", count=removed)

    return (
        Periodic(name="restore_tests", interval=timedelta(minutes=1), function=start),
        Periodic(name="stale_tests", interval=timedelta(minutes=5), function=remove),
    )
