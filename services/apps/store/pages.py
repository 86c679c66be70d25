"""Pages of apps and operations that begin behind an entry, and stay stable while entries come and go."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa

from services.apps.domain.entities import AppFilter
from services.apps.domain.stamps import ListedStamp
from services.apps.store.lookups import count_apps_of, list_conditions, list_params
from services.apps.store.tables import apps, removed_apps
from services.common.core.errors import refuse_after
from services.common.db.database import Database
from services.common.db.queries import Query, comes_after, parse_time

_SIZES = (20, 100)  # ids of one query: a statement for each, the places left over are filled with the last


class AppPages:
    """Pages of apps behind one of them."""

    _db: Database

    async def list_stamps_after(
        self, wanted: AppFilter, *, after: str, per_page: int
    ) -> tuple[list[ListedStamp], int]:
        """Return the stamps of the apps behind one, newest first, and how many there are in all.

        The app may have been removed meanwhile: its place in the order is known for a day at least.

        Raises:
            InvalidError: there is no such app, or it is not the owner's.
        """

        def read(connection: sa.Connection) -> tuple[list[str], int] | None:
            created = _find_position(connection, after, owner=wanted.owner_id)
            if created is None:
                return None
            params = list_params(wanted)
            names = frozenset(params)
            behind = comes_after([(apps.c.created_at, True, created), (apps.c.id, True, after)])
            query = (
                sa.select(apps.c.id)
                .where(*list_conditions(names), behind)
                .order_by(apps.c.created_at.desc(), apps.c.id.desc())
                .limit(per_page)
            )
            ids = connection.execute(query, params).scalars().all()
            return list(ids), int(connection.execute(count_apps_of(names), params).scalar_one())

        found = await self._db.read(read)
        if found is None:
            raise refuse_after(after, kind="app")
        ids, total = found
        return await self._list_stamps_of(ids), total

    async def _list_stamps_of(self, ids: list[str]) -> list[ListedStamp]:
        """Return stamps in the form of the fast read path, by which renderings are cached."""
        if not ids:
            return []
        places = next((size for size in _SIZES if size >= len(ids)), len(ids))
        filled = [*ids, *([ids[-1]] * (places - len(ids)))]
        rows = await self._db.fetch(_listed_query(places), {f"id{n}": each for n, each in enumerate(filled)})
        stamps = {
            row[0]: ListedStamp(row[0], row[1], row[2], row[3], row[4], parse_time(row[1]).timestamp())
            for row in rows
        }
        return [stamps[app_id] for app_id in ids if app_id in stamps]


def _find_position(connection: sa.Connection, app_id: str, *, owner: int | None) -> datetime | None:
    """Return when an app was made, also one that was removed; None: it is not known, or not the owner's."""
    query = sa.select(apps.c.created_at, apps.c.owner_id).where(apps.c.id == app_id)
    row: Any = connection.execute(query).one_or_none()
    if row is not None:
        return row.created_at if owner in (None, row.owner_id) else None
    record = connection.execute(sa.select(removed_apps.c.record).where(removed_apps.c.id == app_id)).scalar()
    if not record or owner not in (None, record["owner_id"]):
        return None
    return datetime.fromisoformat(record["created_at"])


@cache
def _listed_query(count: int) -> Query:
    columns = (apps.c.id, apps.c.updated_at, apps.c.status, apps.c.host_id, apps.c.vmid)
    ids: list[sa.BindParameter[str]] = [sa.bindparam(f"id{number}") for number in range(count)]
    return Query(sa.select(*columns).where(apps.c.id.in_(ids)))
