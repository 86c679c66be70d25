"""The audit log in the database: one hash chain, appended at its end and pruned at its beginning."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.auth.domain.audit import FIRST_HASH, hash_entry, verify_chain
from services.auth.domain.entities import (
    Account,
    AuditEntry,
    AuditFilter,
    NewAuditEntry,
    Page,
)
from services.auth.domain.errors import AuditBrokenError
from services.auth.store.locks import AUDIT, lock
from services.auth.store.tables import audit_entries, audit_head
from services.common.core.clock import Clock, now
from services.common.db.database import Database
from services.common.db.queries import comes_after

PRUNED = "auth.AuditPruned"
_PUNCTUATION = ",:()"  # between the words of a target
_BATCH = 1000  # entries that a verification reads at once: some hundred kilobytes
_HEAD, _BASE = 1, 2  # the rows of audit_head: the last entry, and the last that was pruned
_MOST_PRUNED = 10_000  # entries in one transaction, which blocks other writers for some tenths of a second
_MAX_VERIFICATIONS = 3  # attempts beside concurrent prunings, which happen once a day


@dataclass(frozen=True)
class Expected:
    """Audit entry of the current call, to be written with its change; `build` constructs it."""

    message_id: str
    build: Callable[[], NewAuditEntry]


expected: ContextVar[Expected | None] = ContextVar("expected_audit_entry", default=None)


def write_expected(connection: sa.Connection, account: Account | None = None) -> None:
    """Write the audit entry of the current call into the transaction of its change, as its last statement.

    Last, because the lock of the chain is taken until the commit.

    Args:
        connection: of the transaction.
        account: the caller, for calls that sign in and so begin without one.
    """
    promised = expected.get()
    if promised is None:
        return
    new = promised.build()
    if not new.username and account is not None:
        new = replace(new, user_id=account.id, username=account.username)
    append_entry(connection, new)


def append_entry(connection: sa.Connection, new: NewAuditEntry) -> None:
    """Append an entry to the chain; a `message_id` that it has already is ignored."""
    lock(connection, AUDIT)
    # A message that is delivered again, or a call whose entry was written with its change.
    known = sa.select(audit_entries.c.id).where(audit_entries.c.message_id == new.message_id)
    if connection.execute(known).first() is not None:
        return
    count, last_hash = _read_head(connection)
    number = count + 1
    digest = hash_entry(new, number=number, previous=last_hash)
    values = {**vars(new), "id": number, "hash": digest}
    connection.execute(audit_entries.insert().values(**values))
    _write_head(connection, count=number, digest=digest)


class SqlAuditStore:
    """The audit log in SQLite or PostgreSQL; implements `AuditStore`."""

    def __init__(self, db: Database, clock: Clock = now) -> None:
        self._db = db
        self._clock = clock

    async def append(self, new: NewAuditEntry) -> None:
        """Append an entry to the chain; a `message_id` that it has already is ignored."""
        await self._db.write(lambda connection: append_entry(connection, new))

    async def list_entries(self, page: Page, *, wanted: AuditFilter) -> tuple[list[AuditEntry], int]:
        """See `AuditStore.list_entries`."""
        condition: sa.ColumnElement[bool] = sa.true()
        if wanted.user:
            condition &= audit_entries.c.username == wanted.user
        if wanted.action:
            condition &= audit_entries.c.action == wanted.action
        if wanted.target:
            # Words and no substring: `app 1` must not find `app 12`.
            condition &= _has_words(wanted.target)
        if wanted.since is not None:
            condition &= audit_entries.c.timestamp >= wanted.since
        query = sa.select(audit_entries).where(condition).order_by(audit_entries.c.id.desc())
        if page.after:
            query = query.where(comes_after([(audit_entries.c.id, True, page.after)]))
        count = sa.select(sa.func.count()).select_from(audit_entries).where(condition)

        def read(connection: sa.Connection) -> tuple[list[AuditEntry], int]:
            rows = connection.execute(query.offset(page.offset).limit(page.size)).all()
            total = connection.execute(count).scalar_one()
            return [_build_entry(row) for row in rows], total

        return await self._db.read(read)

    async def verify(self) -> int:
        """Check the chain from its first entry, or the last one pruned, and return its length.

        Raises:
            AuditBrokenError: an entry was changed or removed.
        """
        for _ in range(_MAX_VERIFICATIONS):
            base = await self._db.read(_read_base)
            try:
                return await self._verify_after(*base)
            except AuditBrokenError:
                if await self._db.read(_read_base) == base:  # else entries were pruned meanwhile
                    raise
        raise AuditBrokenError("entries are pruned faster than they can be read")

    async def _verify_after(self, number: int, digest: str) -> int:
        count, head_hash = await self._db.read(_read_head)
        if number:
            await self._check_pruning(number, digest)
        while number < count:
            entries = await self._list_after(number, limit=min(_BATCH, count - number))
            if not entries:
                raise AuditBrokenError(f"{count - number} entries at the end are missing")
            digest, number = verify_chain(entries, previous=digest, number=number)
        if digest != head_hash:
            raise AuditBrokenError(f"entry {count} is not the one that was written last")
        return count

    async def _check_pruning(self, number: int, digest: str) -> None:
        """Refuse a beginning that no entry of the chain names: each pruning appends an entry with its end."""
        query = sa.select(audit_entries.c.id).where(
            audit_entries.c.action == PRUNED, audit_entries.c.target == _name_base(number, digest)
        )
        if await self._db.read(lambda connection: connection.execute(query).first()) is None:
            raise AuditBrokenError(
                f"the entries up to {number} are gone, and no entry says that they were pruned"
            )

    async def prune_older_than(self, limit: datetime) -> int:
        """Remove at most 10,000 entries before the first that is not older than `limit`, and return their number.

        The hash of the last one removed stays, so that `verify` can begin there, and an entry names number and hash.
        """
        young = sa.select(audit_entries.c.id).where(audit_entries.c.timestamp >= limit)
        oldest_young = young.order_by(audit_entries.c.id).limit(1)

        def write(connection: sa.Connection) -> int:
            lock(connection, AUDIT)
            base, _ = _read_base(connection)
            count, _ = _read_head(connection)
            first = connection.execute(oldest_young).scalar()
            last = min(count if first is None else int(first) - 1, base + _MOST_PRUNED)
            if last <= base:
                return 0
            query = sa.select(audit_entries.c.hash).where(audit_entries.c.id == last)
            digest = str(connection.execute(query).scalar_one())
            append_entry(connection, _build_pruning(last, digest, moment=self._clock()))
            connection.execute(audit_entries.delete().where(audit_entries.c.id <= last))
            _write_row(connection, _BASE, number=last, digest=digest)
            return last - base

        return await self._db.write(write)

    async def _list_after(self, number: int, *, limit: int) -> list[AuditEntry]:
        query = (
            sa.select(audit_entries)
            .where(audit_entries.c.id > number)
            .order_by(audit_entries.c.id)
            .limit(limit)
        )
        rows = await self._db.read(lambda connection: connection.execute(query).all())
        return [_build_entry(row) for row in rows]


def _has_words(words: str) -> sa.ColumnElement[bool]:
    """Condition that the target of an entry has these words as a whole, between spaces or punctuation."""
    target: sa.ColumnElement[str] = audit_entries.c.target
    for mark in _PUNCTUATION:
        target = sa.func.replace(target, mark, " ")
        words = words.replace(mark, " ")
    escaped = words.replace("/", "//").replace("%", "/%").replace("_", "/_")
    spaced = sa.literal(" ", sa.String).concat(target).concat(sa.literal(" ", sa.String))
    return spaced.like(f"% {escaped} %", escape="/")


def _build_pruning(number: int, digest: str, *, moment: datetime) -> NewAuditEntry:
    return NewAuditEntry(
        message_id=f"pruned-{number}",
        timestamp=moment,
        user_id=None,
        username="",
        action=PRUNED,
        target=_name_base(number, digest),
        address="",
        outcome="OK",
    )


def _name_base(number: int, digest: str) -> str:
    return f"entries up to {number}, hash {digest}"


def _read_head(connection: sa.Connection) -> tuple[int, str]:
    """Return number and hash of the last entry."""
    return _read_row(connection, _HEAD)


def _write_head(connection: sa.Connection, *, count: int, digest: str) -> None:
    _write_row(connection, _HEAD, number=count, digest=digest)


def _read_base(connection: sa.Connection) -> tuple[int, str]:
    """Return number and hash of the last entry that was pruned."""
    return _read_row(connection, _BASE)


def _read_row(connection: sa.Connection, row_id: int) -> tuple[int, str]:
    row = connection.execute(sa.select(audit_head).where(audit_head.c.id == row_id)).one_or_none()
    return (0, FIRST_HASH) if row is None else (int(row.length), str(row.hash))


def _write_row(connection: sa.Connection, row_id: int, *, number: int, digest: str) -> None:
    change = audit_head.update().where(audit_head.c.id == row_id).values(length=number, hash=digest)
    if not connection.execute(change).rowcount:
        connection.execute(audit_head.insert().values(id=row_id, length=number, hash=digest))


def _build_entry(row: sa.Row[Any]) -> AuditEntry:
    values = row._mapping  # noqa: SLF001 - the documented way to a row's columns by name
    return AuditEntry(**{name: values[name] for name in AuditEntry.__dataclass_fields__})
