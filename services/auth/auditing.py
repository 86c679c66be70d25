"""auth's own calls go into the audit log directly; those of the other services come by NATS (`jobs`)."""

from __future__ import annotations

import uuid

from services.auth.convert import parse_address
from services.auth.domain.entities import NewAuditEntry
from services.auth.store.audit import SqlAuditStore
from services.common.clock import now
from services.common.rpc.call import Call

_CHANGES_NOTHING = frozenset({"auth.VerifyToken"})


class DirectAudit:
    """Records calls in the database of this service."""

    def __init__(self, store: SqlAuditStore) -> None:
        self._store = store

    async def record(self, call: Call, *, action: str, outcome: str) -> None:
        """See `Audit.record`."""
        if action in _CHANGES_NOTHING:
            return
        user = call.caller.user
        entry = NewAuditEntry(
            message_id=uuid.uuid4().hex,
            timestamp=now(),
            user_id=user.id if user else None,
            username=user.username if user else "",
            action=action,
            target=call.audit_target[:500],
            address=parse_address(call.address),
            outcome=outcome,
        )
        await self._store.append(entry)
