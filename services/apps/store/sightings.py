"""Rows of sightings, which reconciliation counts across its runs."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from services.apps.domain.sightings import Seen, Sighting
from services.apps.store.tables import sightings
from services.common.core.clock import now
from services.common.db.database import insert_ignore


def note_sightings(
    connection: sa.Connection, seen: Collection[Seen], *, complete: Collection[int]
) -> dict[Seen, Sighting]:
    """Count what a scan saw, and forget what complete hosts no longer show."""
    known = {one.seen: one for one in _read(connection, sa.select(sightings))}
    for gone in known.keys() - set(seen):
        # Of a host that did not show everything, nothing is known to be gone.
        if gone.host_id in complete:
            connection.execute(sightings.delete().where(*_key(gone)))
    return {one: _count(connection, one, known=known.get(one)) for one in dict.fromkeys(seen)}


def find_sighting(connection: sa.Connection, kind: str, *, host_id: int, vmid: int) -> Sighting | None:
    """The orphan or duplicate with an id."""
    query = sa.select(sightings).where(
        sightings.c.kind == kind, sightings.c.host_id == host_id, sightings.c.vmid == vmid
    )
    return next(iter(_read(connection, query)), None)


def forget_sightings(connection: sa.Connection, host_id: int, *, vmid: int) -> None:
    """Forget an orphan or duplicate: it is gone."""
    connection.execute(
        sightings.delete().where(
            sightings.c.kind.in_(("orphan", "duplicate")),
            sightings.c.host_id == host_id,
            sightings.c.vmid == vmid,
        )
    )


def _count(connection: sa.Connection, seen: Seen, *, known: Sighting | None) -> Sighting:
    current = now()
    # Another process may have seen it at the same moment: the first row counts.
    if known is None:
        row = {**seen._asdict(), "scans": 1, "first_seen_at": current, "last_seen_at": current}
        connection.execute(insert_ignore(sightings, connection).values(**row))
        return Sighting(seen=seen, scans=1, first_seen_at=current)
    scans = known.scans + 1
    query = sightings.update().where(*_key(seen)).values(scans=scans, last_seen_at=current)
    connection.execute(query)
    return Sighting(seen=seen, scans=scans, first_seen_at=known.first_seen_at)


def _key(seen: Seen) -> list[sa.ColumnElement[bool]]:
    return [sightings.c[name] == value for name, value in seen._asdict().items()]


def _read(connection: sa.Connection, query: sa.Select[tuple[object, ...]]) -> list[Sighting]:
    return [
        Sighting(
            seen=Seen(row.kind, row.host_id, row.vmid, row.subject),
            scans=row.scans,
            first_seen_at=row.first_seen_at,
        )
        for row in connection.execute(query)
    ]
