"""One answer per Idempotency-Key: the first answer is stored for 24 hours and repeated.

The key is claimed before the work and answered after it. What a handler creates takes its ids from the key
(`Call.request_id`), so a repetition after a crash in between finds what the first one made.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from services.common.core.clock import now
from services.common.core.errors import BusyError, DuplicateError, InvalidError
from services.common.db.database import Database, UtcDateTime, insert_ignore
from services.common.db.migrations import SealedColumn
from services.common.identity.keys import Sealer
from services.common.identity.tokens import Caller

_LONGEST_KEY = 255  # characters, as the API documents it
KEEP = timedelta(hours=24)  # as the API documents it
_RUNNING = timedelta(seconds=30)  # the default deadline: a claim older than that is of a process that died
_POLL_S = 0.05  # between two looks for the answer of a first call that still runs; most take 100 ms
_WAIT_S = 10.0  # for that answer; then the repetition is refused with 409


class IdempotencyKeyReusedError(DuplicateError):
    """The key was used for another request."""


class RequestInProgressError(BusyError):
    """The same request is being worked on."""


@dataclass(frozen=True)
class RecordedResponse:
    """A first answer: message, HTTP status and headers."""

    message: bytes
    http_status: int | None
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Claim:
    """A claimed request: to be worked on, unless it has an answer.

    Attributes:
        first_at: when the request came first, which a later claim does not change.
        claimed_at: names this claim; one that another has taken over changes nothing any more.
    """

    request_id: str
    first_at: datetime
    claimed_at: datetime
    answer: RecordedResponse | None = None

    @property
    def audit_id(self) -> str:
        """The id of the request's audit entry: one for all repetitions of the request."""
        return f"audit-{self.request_id}-{int(self.first_at.timestamp() * 1e6)}"


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
    """Return the column of stored answers, which are sealed."""
    return SealedColumn(table.c.answer, "idempotency.answer")


def name_principal(caller: Caller, address: str) -> str:
    """Return whom a key belongs to: the user together with what the credentials may do.

    A stored answer is given to the same credentials only. An API token that repeats the key of a session, a token
    with fewer scopes or an earlier end, and a user who is no longer administrator make a request of their own, which
    is authorized anew. Services act for users under keys of their own RPCs.
    """
    user = caller.user
    if user is None:
        return f"address {address}"
    if caller.service or (caller.session and not user.is_staff):
        return f"user {user.id}"
    if caller.session:
        return f"user {user.id} as administrator"
    return f"user {user.id} with {caller.token_id} {','.join(user.scopes)} {'staff' if user.is_staff else ''}"


def request_id_of(principal: str, method: str, *, key: str) -> str:
    """Return the id of every request of this principal with this key: 32 hex digits.

    Raises:
        InvalidError: the key is too long.
    """
    if len(key) > _LONGEST_KEY:
        raise InvalidError(f"Idempotency-Key: has {len(key)} characters; at most {_LONGEST_KEY} are allowed")
    return hashlib.sha256("\x00".join((principal, method, key)).encode()).hexdigest()[:32]


class IdempotencyStore:
    """Keeps answers, sealed, in a service's own database."""

    def __init__(self, db: Database, table: sa.Table, *, sealer: Sealer) -> None:
        self._db = db
        self._table = table
        self._sealer = sealer

    async def claim(self, request_id: str, body: bytes) -> Claim:
        """Claim a request: with the earlier answer if there is one, without when the work is now the caller's.

        Waits up to 10 seconds for a repetition that is being worked on.

        Raises:
            IdempotencyKeyReusedError: the key belongs to another body.
            RequestInProgressError: the first request still runs.
        """
        body_hash = hashlib.sha256(body).hexdigest()
        waited = 0.0
        while True:
            row, is_ours = await self._db.write(
                lambda connection: self._claim(connection, request_id, body_hash=body_hash), is_final=False
            )
            claim = Claim(request_id, row.created_at, row.claimed_at)
            if is_ours:
                return claim
            if row.body_hash != body_hash:
                raise IdempotencyKeyReusedError("this Idempotency-Key was used for another request")
            if row.answer is not None:
                return replace(claim, answer=self._open(request_id, row.answer))
            if waited >= _WAIT_S:
                raise RequestInProgressError("the same request is still being worked on", retry_after=2)
            await asyncio.sleep(_POLL_S)
            waited += _POLL_S

    async def answer(self, claim: Claim, answer: RecordedResponse) -> None:
        """Keep the answer of a claimed request, unless another claim has taken over."""
        text = json.dumps([base64.b64encode(answer.message).decode(), answer.http_status, answer.headers])
        sealed = self._sealer.seal(text, place=f"idempotency.answer.{claim.request_id}")
        change = self._table.update().where(self._is(claim)).values(answer=sealed)
        await self._db.write(lambda connection: connection.execute(change), is_final=False)

    async def release(self, claim: Claim, *, has_changed: bool) -> None:
        """Give up a claim: the request was refused and may be repeated at once.

        Args:
            claim: from `claim`.
            has_changed: something was committed before the refusal; the repetition is the same request then.
        """
        table = self._table
        change: sa.Update | sa.Delete = table.delete().where(self._is(claim))
        if has_changed:
            change = table.update().where(self._is(claim)).values(claimed_at=claim.claimed_at - _RUNNING)
        await self._db.write(lambda connection: connection.execute(change), is_final=False)

    def _is(self, claim: Claim) -> sa.ColumnElement[bool]:
        table = self._table
        return (
            (table.c.id == claim.request_id)
            & (table.c.claimed_at == claim.claimed_at)
            & table.c.answer.is_(None)
        )

    async def prune(self) -> None:
        """Forget answers older than 24 hours."""
        table, limit = self._table, now() - KEEP
        await self._db.write(
            lambda connection: connection.execute(table.delete().where(table.c.created_at < limit)),
            is_final=False,
        )

    def _claim(
        self, connection: sa.Connection, request_id: str, *, body_hash: str
    ) -> tuple[sa.Row[Any], bool]:
        """The row of a request, and whether the work is the caller's."""
        table, current = self._table, now()
        inserted = connection.execute(
            insert_ignore(table, connection).values(
                id=request_id, body_hash=body_hash, claimed_at=current, created_at=current
            )
        )
        taken_over = connection.execute(
            table.update()
            .where(
                table.c.id == request_id,
                table.c.body_hash == body_hash,
                table.c.answer.is_(None),
                table.c.claimed_at <= current - _RUNNING,
            )
            .values(claimed_at=current)
        )
        row = connection.execute(sa.select(table).where(table.c.id == request_id)).one()
        return row, bool(inserted.rowcount or taken_over.rowcount)

    def _open(self, request_id: str, sealed: str) -> RecordedResponse:
        message, status, headers = json.loads(
            self._sealer.open(sealed, place=f"idempotency.answer.{request_id}")
        )
        return RecordedResponse(
            base64.b64decode(message), status, tuple((name, value) for name, value in headers)
        )
