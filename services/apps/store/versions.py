"""Versions of apps in backups, found by the operation that made the backup and the app's upgrades."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from services.apps.domain.entities import AppVersion, Upgrade
from services.apps.store.tables import apps, operation_tables, upgrades
from services.apps.store.upgrades import UpgradeRows

ops = operation_tables.operations


@dataclass(frozen=True)
class BackedUp:
    """The version in a backup; `upgrade` is the one that the app owed it to, None for the version it began with."""

    version: AppVersion
    upgrade: Upgrade | None


def find_backed_up(
    connection: sa.Connection, rows: UpgradeRows, *, app_id: str, made_by: str
) -> BackedUp | None:
    """The version in the backup that an operation made; None where that is the app's own, or not known.

    A backup that an upgrade made has the version before it, one that a way back made the version after it; any other
    the version that the app was of.
    """
    query = sa.select(ops.c.kind, ops.c.state).where(ops.c.id == made_by, ops.c.subject == app_id)
    row = connection.execute(query).one_or_none()
    if row is None or "upgrade_id" not in row.state:
        return None
    known, named = rows.list_all(connection, app_id), row.state["upgrade_id"]
    if not known:
        return None
    # Before the first upgrade: the backup has the version that the app began with.
    if not named:
        return BackedUp(known[0].before, None)
    upgrade = next((one for one in known if one.id == named), None)
    if upgrade is None:
        return None
    # Any other operation made its backup after the upgrade, and the upgrade itself before.
    if row.kind != "upgrade_app":
        return BackedUp(upgrade.after, upgrade)
    earlier = known[: known.index(upgrade)]
    older = [one for one in earlier if one.after.revision == upgrade.before.revision]
    return BackedUp(upgrade.before, older[-1] if older else None)


def restore_version(connection: sa.Connection, rows: UpgradeRows, *, app_id: str, operation_id: str) -> None:
    """Make an app be of the version that a restore brought back; what has the same revision is left alone."""
    state = connection.execute(sa.select(ops.c.state).where(ops.c.id == operation_id)).scalar()
    if not state or not state.get("made_by"):
        return
    found = find_backed_up(connection, rows, app_id=app_id, made_by=state["made_by"])
    revision = connection.execute(sa.select(apps.c.revision).where(apps.c.id == app_id)).scalar()
    if found is None or revision in (None, found.version.revision):
        return
    rows.apply_version(connection, app_id, version=found.version)
    _mark_upgrades(connection, app_id, current=found.upgrade)


def _mark_upgrades(connection: sa.Connection, app_id: str, *, current: Upgrade | None) -> None:
    """Note that the app is of the version after an upgrade, and those that came later are undone."""
    of_app = upgrades.update().where(upgrades.c.app_id == app_id)
    later = of_app
    if current is not None:
        made = sa.select(upgrades.c.created_at).where(upgrades.c.id == current.id).scalar_subquery()
        later = later.where(upgrades.c.created_at > made)
    connection.execute(later.values(status="undone"))
    if current is not None:
        connection.execute(of_app.where(upgrades.c.id == current.id).values(status="current"))
