"""The audit log in the database: append-only, in one chain."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from services.auth.domain.audit import FIRST_HASH, hash_entry, verify_chain
from services.auth.domain.entities import Account, AuditEntry, NewAuditEntry, Page
from services.auth.domain.errors import AuditBrokenError
from services.auth.store.locks import AUDIT, lock
from services.auth.store.tables import audit_entries, audit_head
from services.common.db.database import Database

_BATCH = 1000


@dataclass(frozen=True)
class Expected:
    """The entry of the call under way, should it change something; `build` makes it."""

    message_id: str
    build: Callable[[], NewAuditEntry]


expected: ContextVar[Expected | None] = ContextVar("expected_audit_entry", default=None)


def write_expected(connection: sa.Connection, account: Account | None = None) -> None:
    """Write the entry of the call under way into the transaction of its change: the last thing that it does.

    Args:
        connection: of the transaction.
        account: who calls, where the call itself cannot know yet because it signs in.
    """
    promised = expected.get()
    if promised is None:
        return
    new = promised.build()
    if new.user_id is None and account is not None:
        new = replace(new, user_id=account.id, username=account.username)
    append_entry(connection, new)


def append_entry(connection: sa.Connection, new: NewAuditEntry) -> None:
    """Add an entry to the end of the chain; one that was added before is left out."""
    lock(connection, AUDIT)
    known = sa.select(audit_entries.c.id).where(audit_entries.c.message_id == new.message_id)
    if connection.execute(known).first() is not None:
        return
    count, last_hash = _read_head(connection)
    number = count + 1
    digest = hash_entry(last_hash, number, new)
    values = {**vars(new), "id": number, "hash": digest}
    connection.execute(audit_entries.insert().values(**values))
    _write_head(connection, number, digest)


class SqlAuditStore:
    """The audit log in SQLite or PostgreSQL."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def append(self, new: NewAuditEntry) -> None:
        """Add an entry to the end of the chain; one that was added before is left out."""
        await self._db.write(lambda connection: append_entry(connection, new))

    async def list_entries(self, user: str, action: str, page: Page) -> tuple[list[AuditEntry], int]:
        """Entries, newest first, and how many there are in all; of one user or action where one is named."""
        condition: sa.ColumnElement[bool] = sa.true()
        if user:
            condition &= audit_entries.c.username == user
        if action:
            condition &= audit_entries.c.action == action
        query = sa.select(audit_entries).where(condition).order_by(audit_entries.c.id.desc())
        count = sa.select(sa.func.count()).select_from(audit_entries).where(condition)

        def read(connection: sa.Connection) -> tuple[list[AuditEntry], int]:
            rows = connection.execute(query.offset(page.offset).limit(page.size)).all()
            total = connection.execute(count).scalar_one()
            return [_build_entry(row) for row in rows], total

        return await self._db.read(read)

    async def verify(self) -> int:
        """Check the whole chain and return its length.

        Raises:
            AuditBrokenError: an entry was changed or removed.
        """
        count, head_hash = await self._db.read(_read_head)
        digest, number = FIRST_HASH, 0
        while number < count:
            entries = await self._list_after(number, limit=min(_BATCH, count - number))
            if not entries:
                raise AuditBrokenError(f"{count - number} entries at the end are missing")
            digest, number = verify_chain(entries, previous=digest, number=number)
        if digest != head_hash:
            raise AuditBrokenError(f"entry {count} is not the one that was written last")
        return count

    async def _list_after(self, number: int, *, limit: int) -> list[AuditEntry]:
        query = (
            sa.select(audit_entries)
            .where(audit_entries.c.id > number)
            .order_by(audit_entries.c.id)
            .limit(limit)
        )
        rows = await self._db.read(lambda connection: connection.execute(query).all())
        return [_build_entry(row) for row in rows]


def _read_head(connection: sa.Connection) -> tuple[int, str]:
    row = connection.execute(sa.select(audit_head).where(audit_head.c.id == 1)).one_or_none()
    return (0, FIRST_HASH) if row is None else (int(row.length), str(row.hash))


def _write_head(connection: sa.Connection, count: int, digest: str) -> None:
    change = audit_head.update().where(audit_head.c.id == 1).values(length=count, hash=digest)
    if not connection.execute(change).rowcount:
        connection.execute(audit_head.insert().values(id=1, length=count, hash=digest))


def _build_entry(row: sa.Row[Any]) -> AuditEntry:
    values = row._mapping  # noqa: SLF001 - the documented way to a row's columns by name
    return AuditEntry(**{name: values[name] for name in AuditEntry.__dataclass_fields__})
