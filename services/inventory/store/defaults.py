"""Defaults of deployments: resources and networks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.common.core.clock import Clock, now
from services.common.core.parsing import Patch
from services.common.db.database import Database, insert_ignore
from services.inventory.domain.entities import (
    DefaultResources,
    Network,
)
from services.inventory.domain.patches import DefaultResourceChanges, NetworkChanges
from services.inventory.domain.user_networks import UserNetwork
from services.inventory.store.tables import settings

# A row of its own: the release before refuses an unknown key in that of `network`.
_NETWORKS = "user_networks"


class SqlSettingsStore:
    """Defaults of deployments: resources and networks."""

    def __init__(self, db: Database, *, clock: Clock = now) -> None:
        self._db = db
        self._clock = clock

    async def get_resources(self) -> tuple[DefaultResources, Any]:
        """Return the default resources and when they were changed."""
        return await self._db.read(lambda c: self._read(c, "resources", kind=DefaultResources))

    async def get_network(self) -> tuple[Network, Any]:
        """Return the default network and when it was changed."""
        return await self._db.read(lambda c: self._read(c, "network", kind=Network))

    async def list_user_networks(self) -> list[UserNetwork]:
        """Return the networks that users may choose besides the default one."""
        return await self._db.read(self._read_networks)

    async def change_resources(self, changes: DefaultResourceChanges) -> tuple[DefaultResources, Any]:
        """See `SettingsStore.change_resources`."""
        return await self._db.write(
            lambda c: self._change_row(c, "resources", kind=DefaultResources, changes=changes)
        )

    async def change_network(
        self, changes: NetworkChanges, *, user_networks: Sequence[UserNetwork] | None = None
    ) -> tuple[Network, Any]:
        """Change the default network, and replace the list of the others unless it is None.

        Raises:
            InvalidError: the result would be no consistent network.
        """

        def write(connection: sa.Connection) -> tuple[Network, Any]:
            if user_networks is not None:
                content = json.dumps([vars(each) for each in user_networks])
                _write(connection, _NETWORKS, content=content, moment=self._clock())
            return self._change_row(connection, "network", kind=Network, changes=changes)

        return await self._db.write(write)

    def _read_networks(self, connection: sa.Connection) -> list[UserNetwork]:
        query = sa.select(settings.c.content).where(settings.c.name == _NETWORKS)
        content = connection.execute(query).scalar()
        return [UserNetwork(**each) for each in json.loads(content)] if content else []

    def _read(self, connection: sa.Connection, name: str, *, kind: type[Any]) -> tuple[Any, Any]:
        row = connection.execute(sa.select(settings).where(settings.c.name == name)).one_or_none()
        return (kind(**json.loads(row.content)), row.updated_at) if row else (kind(), self._clock())

    def _change_row(
        self, connection: sa.Connection, name: str, *, kind: type[Any], changes: Patch
    ) -> tuple[Any, Any]:
        moment = self._clock()
        current, _ = self._read(connection, name, kind=kind)
        changed = changes.apply_to(current)
        _write(connection, name, content=json.dumps(vars(changed)), moment=moment)
        return changed, moment


def _write(connection: sa.Connection, name: str, *, content: str, moment: datetime) -> None:
    values = {"content": content, "updated_at": moment}
    updated = connection.execute(settings.update().where(settings.c.name == name).values(**values))
    if not updated.rowcount:
        connection.execute(insert_ignore(settings, connection).values(name=name, **values))
