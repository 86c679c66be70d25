"""Faults of item files and rejected entries, with the place and a reason for the author."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One fault in one file; `line` counts from 1."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


@dataclass(frozen=True, slots=True)
class Rejection:
    """A file (or an entry of a collection) left out, and why."""

    file: str
    error: str
