"""Audit interceptor of auth, which writes its own calls directly; those of other services come by NATS (`jobs`).

A change and its entry commit together: the stores write the expected entry in the transaction of the change, and
`record` finds it there. A call that changed nothing, or failed after its change, is recorded when it ends.
"""

from __future__ import annotations

import uuid

from services.auth.domain.entities import NewAuditEntry
from services.auth.store.audit import Expected, SqlAuditStore, expected
from services.common.core.clock import now
from services.common.rpc.call import Call, parse_address
from services.common.rpc.interceptors.audit import WaitingEntries

# A POST, because its token must not be in a URL; it changes nothing.
_CHANGES_NOTHING = frozenset({"auth.VerifyToken"})


class DirectAudit:
    """Audit interceptor that writes into the database of this service; implements `Audit`."""

    def __init__(self, store: SqlAuditStore) -> None:
        self._store = store
        self._waiting = WaitingEntries()

    def expect(self, call: Call, *, action: str) -> None:
        """See `Audit.expect`."""
        expected.set(
            Expected(
                call.audit_id,
                lambda: _build_entry(call, action=action, outcome="OK", message_id=call.audit_id),
            )
        )

    async def record(self, call: Call, *, action: str, outcome: str) -> None:
        """See `Audit.record`."""
        if action in _CHANGES_NOTHING:
            return
        # The id belongs to the accepted call: a refused attempt with the same key must not take its place in the log.
        message_id = call.audit_id if outcome == "OK" else uuid.uuid4().hex
        entry = _build_entry(call, action=action, outcome=outcome, message_id=message_id)
        await self._waiting.write(
            lambda: self._store.append(entry),
            action=action,
            outcome=outcome,
            target=entry.target,
            user_id=entry.user_id,
        )

    async def run(self) -> None:
        """See `Audit.run`."""
        await self._waiting.run()


def _build_entry(call: Call, *, action: str, outcome: str, message_id: str) -> NewAuditEntry:
    user = call.caller.user
    return NewAuditEntry(
        message_id=message_id,
        timestamp=now(),
        user_id=user.id if user else None,
        username=user.username if user else "",
        action=action,
        target=call.audit_target[:500],
        address=parse_address(call.address),
        outcome=outcome,
    )
