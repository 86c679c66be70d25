"""What will be written, what is left behind, and the reasons."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message

from deploy.import_django.rows import LARGEST_ID, Row
from services.apps.domain.entities import App, NewAppOperation
from services.apps.workflows.import_app import KIND as IMPORT
from services.backups.workflows.delete_backup import KIND as DELETION
from services.common.core.errors import InvalidError
from services.common.rpc.interceptors.validation import check_message

# What the log of audits has of an account that was removed.
_REMOVAL, _DONE, _USER = "auth.DeleteUser", "OK", re.compile(r"user (\d+)\b")


@dataclass(frozen=True)
class Note:
    """One row that does not come over, or not as it was."""

    table: str
    row: str
    reason: str
    is_left: bool

    def __str__(self) -> str:
        return f"{self.table} {self.row}: {'left behind: ' if self.is_left else ''}{self.reason}"


@dataclass
class Report:
    """How each table fares: rows found, new, here already; and every note."""

    found: dict[str, int] = field(default_factory=dict)
    new: dict[str, int] = field(default_factory=dict)
    known: dict[str, int] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)

    def add(self, table: str) -> None:
        """A row comes over."""
        self.new[table] = self.new.get(table, 0) + 1

    def skip(self, table: str) -> None:
        """A row came over before."""
        self.known[table] = self.known.get(table, 0) + 1

    def leave(self, table: str, row: object, reason: str) -> None:
        """A row does not come over."""
        self.notes.append(Note(table, str(row), reason, is_left=True))

    def note(self, table: str, row: object, reason: str) -> None:
        """A row comes over changed, or needs somebody's attention."""
        self.notes.append(Note(table, str(row), reason, is_left=False))

    def note_faults(self, table: str, row: Row) -> None:
        """Note every value of a row that could not be used."""
        for fault in row.take_faults():
            self.note(table, row.key, fault)

    def render(self) -> str:
        """The report for a person."""
        lines = [f"{'table':16} {'found':>6} {'new':>6} {'known':>6} {'left':>6}"]
        for table, found in self.found.items():
            left = sum(1 for note in self.notes if note.table == table and note.is_left)
            new, known = self.new.get(table, 0), self.known.get(table, 0)
            lines.append(f"{table:16} {found:6} {new:6} {known:6} {left:6}")
        return "\n".join([*lines, *(str(note) for note in self.notes)]) + "\n"


@dataclass(frozen=True)
class Known:
    """What our databases hold already; rows as dictionaries of columns."""

    users: list[dict[str, Any]] = field(default_factory=list)
    hosts: list[dict[str, Any]] = field(default_factory=list)
    vmids: list[dict[str, Any]] = field(default_factory=list)
    settings: list[dict[str, Any]] = field(default_factory=list)
    apps: list[dict[str, Any]] = field(default_factory=list)
    ports: list[dict[str, Any]] = field(default_factory=list)
    backups: list[dict[str, Any]] = field(default_factory=list)
    app_operations: list[dict[str, Any]] = field(default_factory=list)
    backup_operations: list[dict[str, Any]] = field(default_factory=list)
    audit_entries: list[dict[str, Any]] = field(default_factory=list)

    def list_former_apps(self) -> set[str]:
        """Return the ids of the apps that came over before; operations outlive the apps that are deleted."""
        return {row["subject"] for row in self.app_operations if row["kind"] == IMPORT}

    def list_deleted_marks(self) -> set[str]:
        """Return the marks of the backups that were deleted here."""
        return {
            str(row["state"].get("mark"))
            for row in self.backup_operations
            if row["kind"] == DELETION and row["status"] == "succeeded"
        }

    def list_removed_users(self) -> set[int]:
        """Return the ids of the users that were removed here since the first import that left a trace."""
        moments = [row["created_at"] for row in self.app_operations if row["kind"] == IMPORT]
        if not moments:
            return set()
        first = min(moments)
        targets = [
            _USER.match(row["target"])
            for row in self.audit_entries
            if row["action"] == _REMOVAL and row["outcome"] == _DONE and row["timestamp"] >= first
        ]
        return {int(target[1]) for target in targets if target}


@dataclass
class Plan:
    """The rows to write; secrets in it are still open, the targets seal them.

    Attributes:
        user_ids, host_ids: the ids here by the old ones.
        apps: each with the operation that takes over its container.
        places: owner, host and VMID of each app here, also of those that came before.
    """

    report: Report = field(default_factory=Report)
    user_ids: dict[int, int] = field(default_factory=dict)
    host_ids: dict[int, int] = field(default_factory=dict)
    users: list[dict[str, Any]] = field(default_factory=list)
    hosts: list[dict[str, Any]] = field(default_factory=list)
    settings: list[dict[str, Any]] = field(default_factory=list)
    vmids: list[dict[str, Any]] = field(default_factory=list)
    apps: list[tuple[App, NewAppOperation]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    backups: list[dict[str, Any]] = field(default_factory=list)
    places: dict[str, tuple[int, int, int]] = field(default_factory=dict)


def choose_id(wanted: int, taken: set[int], *, reserved: set[int]) -> int:
    """Return the old id where it is free and fits, else one behind every other; it is taken from then on."""
    fits = 0 < wanted <= LARGEST_ID and wanted not in taken
    last = max((number for number in taken | reserved if 0 < number < LARGEST_ID), default=0)
    chosen = wanted if fits else last + 1
    taken.add(chosen)
    return chosen


def find_faults(message: Message) -> dict[str, str]:
    """Return what the API would refuse in a request: the fault of each field."""
    try:
        check_message(message)
    except InvalidError as error:
        return {one.field: one.description for one in error.violations}
    return {}
