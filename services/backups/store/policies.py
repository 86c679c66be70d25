"""The store of policies."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from services.backups.domain.archive_checks import VerifyFrequency
from services.backups.domain.entities import BackupOrder
from services.backups.domain.errors import (
    PolicyChangedError,
    PolicyLimitError,
    PolicyNameTakenError,
    PolicyNotFoundError,
)
from services.backups.domain.policies import (
    MAX_POLICIES,
    AppliesTo,
    BackupPolicy,
    PolicyScope,
    PolicySettings,
    RestoreTesting,
)
from services.backups.domain.policy_limits import PolicyLimitChanges, PolicyLimits
from services.backups.domain.retention import Retention
from services.backups.domain.schedules import list_zones
from services.backups.store.changes import do_nothing
from services.backups.store.policy_runs import SqlPolicyRuns
from services.backups.store.tables import policies, policy_limits, policy_runs
from services.common.core.clock import Clock, now
from services.common.core.log import get_logger
from services.common.db.database import Database, insert_ignore

log = get_logger()

_FALLBACK_ZONE = "UTC"
_ADMINISTRATORS = 0  # in `owner_id`, as a unique constraint takes two nulls for different
_LIMITS = 1  # id of the only row of `policy_limits`
_NAME = 60  # characters


class SqlPolicyStore(SqlPolicyRuns):
    """Policies in SQLite or PostgreSQL; implements `PolicyStore`."""

    def __init__(
        self, db: Database, *, on_message: Callable[[], None] = do_nothing, clock: Clock = now
    ) -> None:
        self._db = db
        self._on_message = on_message
        self._clock = clock

    async def list_policies(self, *, owner_id: int | None = None) -> list[BackupPolicy]:
        """See `Policies.list_policies`."""
        query = sa.select(policies).where(*_of(owner_id)).order_by(policies.c.name, policies.c.id)
        return await self._db.read(
            lambda connection: [_policy_of_row(row) for row in connection.execute(query)]
        )

    async def get_policy(self, policy_id: int, *, owner_id: int | None = None) -> BackupPolicy:
        """See `Policies.get_policy`."""
        return await self._db.read(lambda connection: _read_policy(connection, policy_id, owner_id=owner_id))

    async def add_policy(
        self, settings: PolicySettings, *, owner_id: int | None, limits: PolicyLimits | None = None
    ) -> BackupPolicy:
        """See `Policies.add_policy`."""
        owner = _ADMINISTRATORS if owner_id is None else owner_id

        def write(connection: sa.Connection) -> BackupPolicy:
            # Counted in the transaction of the insert: two requests at once must not pass both.
            _check_number(connection, owner, limits=limits)
            current = self._clock()
            times = dict.fromkeys(("applies_since", "created_at", "updated_at"), current)
            values = _render_settings(settings) | times | {"owner_id": owner}
            values["new_apps_since"] = current if settings.scope.new_apps else None
            new = policies.insert().values(**values).returning(policies)
            return _policy_of_row(connection.execute(new).one())

        return await self._write_named(write, settings.name)

    async def update_policy(self, policy: BackupPolicy, settings: PolicySettings) -> BackupPolicy:
        """See `Policies.update_policy`."""

        def write(connection: sa.Connection) -> BackupPolicy:
            current = self._clock()
            if current == policy.updated_at:  # the time is what tells two versions apart
                current += timedelta(microseconds=1)
            values = _render_settings(settings) | {"updated_at": current}
            # A changed schedule must not make up slots that were never due under the former one.
            if not settings.runs_as(policy.settings):
                values["applies_since"] = current
            values["new_apps_since"] = _find_new_since(policy, settings, current=current)
            is_read = (policies.c.id == policy.id, policies.c.updated_at == policy.updated_at)
            is_written = connection.execute(policies.update().where(*is_read).values(**values)).rowcount
            stored = _read_policy(connection, policy.id, owner_id=None)
            if not is_written:
                raise PolicyChangedError(
                    f"policy {policy.settings.name!r} is changed by other requests at this moment; try again"
                )
            return stored

        return await self._write_named(write, settings.name)

    async def drop_apps(self, policy_id: int, app_ids: Collection[str]) -> None:
        """See `Policies.drop_apps`."""

        def write(connection: sa.Connection) -> None:
            # Locked, as an administrator may change the same list at this moment.
            query = sa.select(policies.c.app_ids).where(policies.c.id == policy_id).with_for_update()
            named = connection.execute(query).scalar_one_or_none()
            if named is not None:
                remaining = [app_id for app_id in named if app_id not in app_ids]
                change = policies.update().where(policies.c.id == policy_id)
                # Not its own change: what its other apps have is still removed and copied by the last run.
                connection.execute(change.values(app_ids=remaining, updated_at=policies.c.updated_at))

        await self._db.write(write)

    async def delete_policy(self, policy_id: int, *, owner_id: int | None = None) -> None:
        """See `Policies.delete_policy`."""

        def write(connection: sa.Connection) -> None:
            _read_policy(connection, policy_id, owner_id=owner_id)
            connection.execute(policy_runs.delete().where(policy_runs.c.policy_id == policy_id))
            connection.execute(policies.delete().where(policies.c.id == policy_id))

        await self._db.write(write)

    async def hand_over_policies(self, owner_id: int, *, to: int) -> None:
        """See `Policies.hand_over_policies`."""

        def write(connection: sa.Connection) -> None:
            of_new = sa.select(policies.c.name).where(policies.c.owner_id == to)
            taken = set(connection.execute(of_new).scalars())
            for row in connection.execute(sa.select(policies).where(*_of(owner_id))).all():
                # Names are unique per owner, and the new owner may have the same one.
                suffix = f"-{row.id}"
                name = f"{row.name[: _NAME - len(suffix)]}{suffix}" if row.name in taken else row.name
                change = policies.update().where(policies.c.id == row.id)
                connection.execute(change.values(owner_id=to, name=name, updated_at=self._clock()))

        await self._db.write(write)

    async def get_limits(self) -> PolicyLimits:
        """See `Policies.get_limits`."""
        query = sa.select(policy_limits).where(policy_limits.c.id == _LIMITS)
        row = await self._db.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            return PolicyLimits()
        values = row._asdict()
        del values["id"]
        return PolicyLimits(**values | {"storages": tuple(row.storages)})

    async def update_limits(self, changes: PolicyLimitChanges) -> None:
        """See `Policies.update_limits`."""

        def write(connection: sa.Connection) -> None:
            # Defaults have no row: a release with other defaults changes them for everybody who set nothing.
            first = asdict(changes.apply_to(PolicyLimits()))
            connection.execute(insert_ignore(policy_limits, connection).values(id=_LIMITS, **first))
            connection.execute(
                policy_limits.update().where(policy_limits.c.id == _LIMITS).values(**changes.given)
            )

        if changes:
            await self._db.write(write)

    async def check_number(self, *, owner_id: int | None, limits: PolicyLimits | None = None) -> None:
        """See `Policies.check_number`."""
        owner = _ADMINISTRATORS if owner_id is None else owner_id
        await self._db.read(lambda connection: _check_number(connection, owner, limits=limits))

    async def _write_named(self, write: Callable[[sa.Connection], BackupPolicy], name: str) -> BackupPolicy:
        try:
            return await self._db.write(write)
        except sa.exc.IntegrityError as error:
            raise PolicyNameTakenError(f"there is a policy {name!r} already; choose another name") from error


def _check_number(connection: sa.Connection, owner: int, *, limits: PolicyLimits | None) -> None:
    count = sa.select(sa.func.count()).select_from(policies)
    if limits is not None:
        limits.check_count(connection.execute(count.where(policies.c.owner_id == owner)).scalar_one())
    total = connection.execute(count).scalar_one()
    if total >= MAX_POLICIES:
        raise PolicyLimitError(f"there are {total} policies, the most that are allowed; delete one first")


def _of(owner_id: int | None) -> tuple[sa.ColumnElement[bool], ...]:
    return () if owner_id is None else (policies.c.owner_id == owner_id,)


def _read_policy(connection: sa.Connection, policy_id: int, *, owner_id: int | None) -> BackupPolicy:
    query = sa.select(policies).where(policies.c.id == policy_id, *_of(owner_id))
    row = connection.execute(query).one_or_none()
    if row is None:
        raise PolicyNotFoundError(f"there is no policy {policy_id}")
    return _policy_of_row(row)


def _find_new_since(policy: BackupPolicy, settings: PolicySettings, *, current: datetime) -> datetime | None:
    """Return since when new apps count under changed settings; a change of others leaves the time as it is."""
    return (policy.new_apps_since or current) if settings.scope.new_apps else None


def _render_settings(settings: PolicySettings) -> dict[str, Any]:
    order, scope = settings.order, settings.scope
    return {
        "name": settings.name,
        "schedule": settings.schedule,
        "time_zone": settings.time_zone,
        "window_minutes": settings.window_minutes,
        "jitter_minutes": settings.jitter_minutes,
        "backup_type": order.backup_type,
        "compression": order.compression,
        "wanted_storage": order.storage,
        "second_storage": settings.second_storage,
        "retention": asdict(settings.retention),
        "test_restore": settings.test_restore.value,
        "verify": settings.verify.value,
        "applies_to": scope.applies_to.value,
        "app_ids": list(scope.app_ids),
        "owner_ids": list(scope.owner_ids),
        "excluded_app_ids": list(scope.excluded_app_ids),
        "enabled": settings.enabled,
    }


def _find_zone(policy_id: int, name: str) -> str:
    """Return the zone of a policy; UTC where the zones of this installation have it no more.

    Refusing the row would stop all other policies as well, and nobody could read or correct this one.
    """
    if name in list_zones():
        return name
    log.error("time_zone_unknown", policy_id=policy_id, time_zone=name, used=_FALLBACK_ZONE)
    return _FALLBACK_ZONE


def _policy_of_row(row: sa.Row[Any]) -> BackupPolicy:
    scope = PolicyScope(
        applies_to=AppliesTo(row.applies_to),
        app_ids=tuple(row.app_ids),
        owner_ids=tuple(row.owner_ids or ()),
        excluded_app_ids=tuple(row.excluded_app_ids or ()),
        new_apps=row.new_apps_since is not None,
    )
    settings = PolicySettings(
        name=row.name,
        schedule=row.schedule,
        time_zone=_find_zone(row.id, row.time_zone),
        window_minutes=row.window_minutes,
        jitter_minutes=row.jitter_minutes,
        order=BackupOrder(
            backup_type=row.backup_type, compression=row.compression, storage=row.wanted_storage
        ),
        second_storage=row.second_storage,
        retention=Retention(**row.retention),
        test_restore=RestoreTesting(row.test_restore),
        verify=VerifyFrequency(row.verify),
        scope=scope,
        enabled=row.enabled,
    )
    return BackupPolicy(
        id=row.id,
        settings=settings,
        owner_id=None if row.owner_id == _ADMINISTRATORS else row.owner_id,
        applies_since=row.applies_since,
        new_apps_since=row.new_apps_since,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
