"""Rotation of SECRET_KEY: what is sealed with a former key is sealed with the current one, while services run.

Every process must know both keys before the first value is sealed with the new one: see docs/security.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from services.common.db.database import Database
from services.common.identity.sealing import SealBrokenError, Sealer

_BATCH = 100  # values in a transaction, which on SQLite blocks other writes for a few milliseconds


@dataclass(frozen=True)
class SealedColumn:
    """A column of sealed values, in a table whose key is one column.

    Attributes:
        place: the first two parts of the place that its values are sealed for; the row's key is the third.
    """

    column: sa.Column[Any]
    place: str

    @property
    def key(self) -> sa.Column[Any]:
        """The table's key."""
        found: sa.Column[Any] = next(iter(self.column.table.primary_key))
        return found


@dataclass(frozen=True)
class Resealed:
    """Result of resealing: the number of values, and the places of those that do not open."""

    count: int
    broken: tuple[str, ...]


async def reseal(db: Database, sealer: Sealer, columns: Sequence[SealedColumn]) -> Resealed:
    """Seal every value with the current key. A value that changes meanwhile is sealed anew by who changes it."""
    count, broken = 0, list[str]()
    for column in columns:
        after: Any = None
        while rows := await db.read(lambda c, column=column, after=after: _find_rows(c, column, after)):  # type: ignore[misc]
            after = rows[-1][0]
            for key, sealed in rows:
                try:
                    count += await _reseal_value(db, sealer, column=column, key=key, sealed=sealed)
                except SealBrokenError:
                    broken.append(f"{column.place}.{key}")
    return Resealed(count, tuple(broken))


def _find_rows(connection: sa.Connection, column: SealedColumn, after: Any) -> list[tuple[Any, str]]:
    query = sa.select(column.key, column.column).where(column.column.is_not(None), column.column != "")
    if after is not None:
        query = query.where(column.key > after)
    return [(key, sealed) for key, sealed in connection.execute(query.order_by(column.key).limit(_BATCH))]


async def _reseal_value(db: Database, sealer: Sealer, *, column: SealedColumn, key: Any, sealed: str) -> int:
    if sealer.is_current(sealed):
        return 0
    place = f"{column.place}.{key}"
    anew = sealer.seal(sealer.open(sealed, place=place), place=place)
    # Only if it is still the value that was read: another writer has sealed its own value meanwhile.
    change = sa.update(column.column.table).where(column.key == key, column.column == sealed)
    change = change.values({column.column.name: anew})
    return int(await db.write(lambda connection: connection.execute(change).rowcount))
