"""The audit entry of the call under way, which commits in the transaction of the call's change."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa


@dataclass
class PendingEntry:
    """The entry of a call, to be written with the change that the call makes.

    Attributes:
        write: writes the entry on the connection of the change.
        is_written: a change has committed, and the entry with it.
        is_closed: the call has ended; what work of its context writes from now on belongs to no entry.
    """

    write: Callable[[sa.Connection], None]
    is_written: bool = False
    is_closed: bool = False


pending_entry: ContextVar[PendingEntry | None] = ContextVar("pending_audit_entry", default=None)


def find_due() -> PendingEntry | None:
    """The entry that the next transaction of this context has to write, if there is one."""
    entry = pending_entry.get()
    return None if entry is None or entry.is_written or entry.is_closed else entry


def has_committed() -> bool:
    """Whether the call under way has committed a change, with its entry."""
    entry = pending_entry.get()
    return entry is not None and entry.is_written


class UnchangedError(Exception):
    """Raised within a transaction that finds nothing to change: it is rolled back, and `result` is returned."""

    def __init__(self, result: Any) -> None:
        super().__init__(result)
        self.result = result
