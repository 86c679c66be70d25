"""The audit log's hash chain: each entry's hash covers the entry and the hash before it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC

from services.auth.domain.entities import AuditEntry, NewAuditEntry
from services.auth.domain.errors import AuditBrokenError

FIRST_HASH = "0" * 64  # stands for the hash before the first entry


def hash_entry(entry: NewAuditEntry, *, number: int, previous: str) -> str:
    """Return the hash of entry `number`, after the entry whose hash is `previous`: SHA-256 in hex."""
    content = [
        previous,
        number,
        entry.message_id,
        entry.timestamp.astimezone(UTC).isoformat(timespec="microseconds"),
        entry.user_id,
        entry.username,
        entry.action,
        entry.target,
        entry.address,
        entry.outcome,
    ]
    # All options are explicit: a hash must not change with the defaults of a JSON library.
    text = json.dumps(content, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def verify_chain(
    entries: Iterable[AuditEntry], *, previous: str = FIRST_HASH, number: int = 0
) -> tuple[str, int]:
    """Check entries that follow entry `number` with hash `previous`; return hash and number of the last.

    Raises:
        AuditBrokenError: an entry is missing or was changed.
    """
    for entry in entries:
        number += 1
        if entry.id != number:
            raise AuditBrokenError(f"entry {number} is missing: entry {entry.id} comes in its place")
        previous = hash_entry(entry, number=number, previous=previous)
        if entry.hash != previous:
            raise AuditBrokenError(f"entry {number} or one before it was changed")
    return previous, number
