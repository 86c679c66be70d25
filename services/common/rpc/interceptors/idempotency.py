"""One answer per Idempotency-Key: the first answer is kept for 24 hours and given again.

The key is claimed before the work and answered after it. What a handler creates takes its ids from the key
(`Call.request_id`), so a repetition after a crash in between finds what the first one made.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from services.common.core.clock import now
from services.common.core.errors import BusyError, DuplicateError
from services.common.db.database import Database, UtcDateTime, insert_ignore
from services.common.identity.resealing import SealedColumn
from services.common.identity.sealing import Sealer

KEEP = timedelta(hours=24)
_RUNNING = timedelta(seconds=30)
_POLL_S = 0.05
_WAIT_S = 10.0


class IdempotencyKeyReusedError(DuplicateError):
    """The key was used for another request."""


class RequestInProgressError(BusyError):
    """The same request is being worked on."""


@dataclass(frozen=True)
class Answer:
    """A first answer: message, HTTP status and headers."""

    message: bytes
    http_status: int | None
    headers: tuple[tuple[str, str], ...]


def define_table(metadata: sa.MetaData) -> sa.Table:
    """Define the table `idempotency` in a service's metadata."""
    return sa.Table(
        "idempotency",
        metadata,
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("body_hash", sa.String(64), nullable=False),
        sa.Column("answer", sa.Text),
        sa.Column("claimed_at", UtcDateTime, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False, index=True),
    )


def seal_column(table: sa.Table) -> SealedColumn:
    """The column of kept answers, which are sealed."""
    return SealedColumn(table.c.answer, "idempotency.answer")


def request_id_of(principal: str, method: str, key: str) -> str:
    """The id of everything that is asked with this key by this principal: 32 hex digits."""
    return hashlib.sha256("\x00".join((principal, method, key)).encode()).hexdigest()[:32]


class IdempotencyStore:
    """Keeps answers, sealed, in a service's own database."""

    def __init__(self, db: Database, table: sa.Table, sealer: Sealer) -> None:
        self._db = db
        self._table = table
        self._sealer = sealer

    async def claim(self, request_id: str, body: bytes) -> Answer | None:
        """Claim a request; the earlier answer if there is one, None when the work is now ours.

        Waits up to 10 seconds for a repetition that is being worked on.

        Raises:
            IdempotencyKeyReusedError: the key belongs to another body.
            RequestInProgressError: the first request still runs.
        """
        body_hash = hashlib.sha256(body).hexdigest()
        waited = 0.0
        while True:
            row = await self._db.write(lambda connection: self._claim(connection, request_id, body_hash))
            if row is None:
                return None
            if row.body_hash != body_hash:
                raise IdempotencyKeyReusedError("this Idempotency-Key was used for another request")
            if row.answer is not None:
                return self._open(request_id, row.answer)
            if waited >= _WAIT_S:
                raise RequestInProgressError("the same request is still being worked on", retry_after=2)
            await asyncio.sleep(_POLL_S)
            waited += _POLL_S

    async def answer(self, request_id: str, answer: Answer) -> None:
        """Keep the answer of a claimed request."""
        text = json.dumps([base64.b64encode(answer.message).decode(), answer.http_status, answer.headers])
        sealed = self._sealer.seal(text, place=f"idempotency.answer.{request_id}")
        table = self._table
        await self._db.write(
            lambda connection: connection.execute(
                table.update().where(table.c.id == request_id).values(answer=sealed)
            )
        )

    async def release(self, request_id: str) -> None:
        """Give up a claim: the request was refused and may be repeated."""
        table = self._table
        await self._db.write(
            lambda connection: connection.execute(
                table.delete().where(table.c.id == request_id, table.c.answer.is_(None))
            )
        )

    async def prune(self) -> None:
        """Forget answers older than 24 hours."""
        table, limit = self._table, now() - KEEP
        await self._db.write(
            lambda connection: connection.execute(table.delete().where(table.c.created_at < limit))
        )

    def _claim(
        self, connection: sa.Connection, request_id: str, body_hash: str
    ) -> sa.Row[tuple[object, ...]] | None:
        table, current = self._table, now()
        inserted = connection.execute(
            insert_ignore(table, connection).values(
                id=request_id, body_hash=body_hash, claimed_at=current, created_at=current
            )
        )
        if inserted.rowcount:
            return None
        taken_over = connection.execute(
            table.update()
            .where(
                table.c.id == request_id,
                table.c.body_hash == body_hash,
                table.c.answer.is_(None),
                table.c.claimed_at < current - _RUNNING,
            )
            .values(claimed_at=current)
        )
        if taken_over.rowcount:
            return None
        return connection.execute(sa.select(table).where(table.c.id == request_id)).one_or_none()

    def _open(self, request_id: str, sealed: str) -> Answer:
        message, status, headers = json.loads(
            self._sealer.open(sealed, place=f"idempotency.answer.{request_id}")
        )
        return Answer(base64.b64decode(message), status, tuple((name, value) for name, value in headers))
