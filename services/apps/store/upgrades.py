"""Rows of upgrades: the version before and the one after, both sealed, as they hold the app's secrets."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from services.apps.domain.entities import AppVersion, Upgrade
from services.apps.domain.rendering import AppRendering
from services.apps.store.rows import AppRows
from services.apps.store.tables import apps, upgrades
from services.common.core.clock import now
from services.common.db.database import insert_ignore
from services.common.identity.keys import Sealer


class UpgradeRows:
    """Upgrades in the transaction of a connection."""

    def __init__(self, sealer: Sealer, rows: AppRows) -> None:
        self._sealer = sealer
        self._rows = rows

    def add(self, connection: sa.Connection, upgrade: Upgrade) -> None:
        """Add an upgrade; one that is known already is left alone."""
        values = {
            "id": upgrade.id,
            "app_id": upgrade.app_id,
            "status": upgrade.status,
            "before": self._seal(upgrade.id, upgrade.before),
            "after": self._seal(upgrade.id, upgrade.after),
            "archive": upgrade.archive,
            "created_at": now(),
        }
        connection.execute(insert_ignore(upgrades, connection).values(**values))

    def note_archive(self, connection: sa.Connection, upgrade_id: str, *, archive: str) -> None:
        """Note the backup that was made before an upgrade."""
        connection.execute(upgrades.update().where(upgrades.c.id == upgrade_id).values(archive=archive))

    def switch(self, connection: sa.Connection, upgrade_id: str, *, forward: bool) -> None:
        """Make the app be of the version after or before; one that was never switched forward is only marked."""
        row = connection.execute(sa.select(upgrades).where(upgrades.c.id == upgrade_id)).one_or_none()
        status = "current" if forward else "undone"
        if row is None or row.status == status:
            return
        # An upgrade that was never switched forward has changed nothing that has to be switched back.
        if forward or row.status == "current":
            self.apply_version(
                connection, row.app_id, version=self._open(upgrade_id, row.after if forward else row.before)
            )
        connection.execute(upgrades.update().where(upgrades.c.id == upgrade_id).values(status=status))

    def apply_version(self, connection: sa.Connection, app_id: str, *, version: AppVersion) -> None:
        """Make an app be of a version."""
        fields = {**self._rows.render_columns(app_id, version.values), "updated_at": now()}
        connection.execute(apps.update().where(apps.c.id == app_id).values(**fields))

    def list_all(self, connection: sa.Connection, app_id: str) -> list[Upgrade]:
        """Every upgrade of an app, the oldest first."""
        query = sa.select(upgrades).where(upgrades.c.app_id == app_id).order_by(upgrades.c.created_at)
        return [self._parse(row) for row in connection.execute(query)]

    def find_current(self, connection: sa.Connection, app_id: str) -> Upgrade | None:
        """The upgrade that an app owes its version to, if it owes it to one."""
        query = (
            sa.select(upgrades)
            .where(upgrades.c.app_id == app_id, upgrades.c.status == "current")
            .order_by(upgrades.c.created_at.desc())
            .limit(1)
        )
        row = connection.execute(query).one_or_none()
        return None if row is None else self._parse(row)

    def get(self, connection: sa.Connection, upgrade_id: str) -> Upgrade:
        """An upgrade that an operation named."""
        return self._parse(connection.execute(sa.select(upgrades).where(upgrades.c.id == upgrade_id)).one())

    def _parse(self, row: sa.Row[Any]) -> Upgrade:
        return Upgrade(
            id=row.id,
            app_id=row.app_id,
            before=self._open(row.id, row.before),
            after=self._open(row.id, row.after),
            status=row.status,
            archive=row.archive,
        )

    def forget(self, connection: sa.Connection, upgrade_id: str) -> None:
        """Forget one upgrade."""
        connection.execute(upgrades.delete().where(upgrades.c.id == upgrade_id))

    def _seal(self, upgrade_id: str, version: AppVersion) -> str:
        values = {**version.values, "version": version.version}
        # The release before takes no other fields; within the rendering it carries them along.
        values["rendering"] = {**version.rendering.to_json(), "inputs": dict(values.pop("inputs"))}
        values["environment"] = dict(version.environment)
        return self._sealer.seal(json.dumps(values), place=f"apps.upgrades.{upgrade_id}")

    def _open(self, upgrade_id: str, sealed: str) -> AppVersion:
        values: dict[str, Any] = json.loads(self._sealer.open(sealed, place=f"apps.upgrades.{upgrade_id}"))
        inputs = values["rendering"].pop("inputs", {})
        rendering = AppRendering.from_json(values["rendering"])
        names = tuple(values["secret_names"])
        return AppVersion(**{**values, "inputs": inputs, "secret_names": names, "rendering": rendering})
