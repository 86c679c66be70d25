"""The audit log's hash chain: each entry's hash covers the entry and the hash before it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from datetime import UTC

from services.auth.domain.entities import AuditEntry, NewAuditEntry
from services.auth.domain.errors import AuditBrokenError

_KINDS = {"API token": "token"}
_NAMED = re.compile(
    r"\b(?P<kind>app|backup|operation|source|host|container|item|hostname|user|session|API token|policy|name) "
    r"(?P<id>[^\s,:()]+)"
)
_APP = re.compile(r"[a-z0-9][a-z0-9.-]*-[0-9a-f]{8}(?![^\s,:()])")
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


def list_targets(text: str) -> list[tuple[str, str]]:
    """Return kind and id of everything that the target of an entry names, each once, in its order.

    The text is part of the hash chain, so that it stays as it is; services write it as `app web-1a2b3c4d, backup 7`, or as
    the id of an app alone.
    """
    found = [(_KINDS.get(match["kind"], match["kind"]), match["id"]) for match in _NAMED.finditer(text)]
    alone = _APP.match(text)
    if alone is not None and ("app", alone[0]) not in found:
        found.insert(0, ("app", alone[0]))
    return list(dict.fromkeys(found))
