"""What a deployment gets that says nothing else."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from services.common.core.clock import Clock, now
from services.common.db.database import Database, insert_ignore
from services.inventory.domain.entities import (
    Network,
    Resources,
)
from services.inventory.store.tables import settings


class SqlSettingsStore:
    """What a deployment gets that says nothing else."""

    def __init__(self, db: Database, *, clock: Clock = now) -> None:
        self._db = db
        self._clock = clock

    async def get_resources(self) -> tuple[Resources, Any]:
        """Return the default resources and when they were changed."""
        return await self._db.read(lambda c: self._read(c, "resources", Resources))

    async def get_network(self) -> tuple[Network, Any]:
        """Return the default network and when it was changed."""
        return await self._db.read(lambda c: self._read(c, "network", Network))

    async def change_resources(self, changes: dict[str, Any]) -> tuple[Resources, Any]:
        """Change what `changes` names."""
        return await self._change("resources", Resources, changes=changes)

    async def change_network(self, changes: dict[str, Any]) -> tuple[Network, Any]:
        """Change what `changes` names.

        Raises:
            InvalidError: the result would be no consistent network.
        """
        return await self._change("network", Network, changes=changes)

    def _read(self, connection: sa.Connection, name: str, kind: type[Any]) -> tuple[Any, Any]:
        row = connection.execute(sa.select(settings).where(settings.c.name == name)).one_or_none()
        return (kind(**json.loads(row.content)), row.updated_at) if row else (kind(), self._clock())

    async def _change(self, name: str, kind: type[Any], *, changes: dict[str, Any]) -> tuple[Any, Any]:
        moment = self._clock()

        def write(connection: sa.Connection) -> tuple[Any, Any]:
            current, _ = self._read(connection, name, kind)
            changed = current.change(changes)
            values = {"content": json.dumps(vars(changed)), "updated_at": moment}
            updated = connection.execute(settings.update().where(settings.c.name == name).values(**values))
            if not updated.rowcount:
                connection.execute(insert_ignore(settings, connection).values(name=name, **values))
            return changed, moment

        return await self._db.write(write)
