"""A row of the old database: typed reads that collect a fault for each value that cannot be used."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from services.common.core.text import find_control, make_printable

LARGEST_ID = 2**31 - 1  # ids are 32-bit integers here, and 64-bit ones in Django
_TRUE = frozenset({"1", "true", "t", "yes", "on"})
_FALSE = frozenset({"0", "false", "f", "no", "off", ""})
_YEARS = range(1990, 2101)  # outside of them a time is a mistake, and drivers of databases overflow
_UNREADABLE = re.compile("[\ud800-\udfff\x00]")  # surrogates and NUL: no database takes them as text
_SHOWN = 60  # characters of a bad value in a note


class Row:
    """A row whose columns may be missing; a column of several names is read from the first that is there.

    A value that cannot be used counts as missing, and `take_faults` reports it.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values
        self._faults: dict[str, None] = {}

    @property
    def id(self) -> int:
        """Its primary key, where that is a number; 0 where it is none."""
        return self.number("id") or 0

    @property
    def key(self) -> str:
        """Its primary key as text."""
        return self.line("id")

    def has(self, name: str) -> bool:
        """Whether the old table has this column."""
        return name in self._values

    def take_faults(self) -> tuple[str, ...]:
        """Return and forget the faults that the reads so far have found."""
        found = tuple(self._faults)
        self._faults.clear()
        return found

    def fault(self, name: str, value: object, what: str) -> None:
        """Note that the value of a column cannot be used."""
        shown = make_printable(_UNREADABLE.sub("\ufffd", str(value)))
        shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
        self._faults[f"{name}: {shown if isinstance(value, int | float) else repr(shown)} {what}"] = None

    def note(self, sentence: str) -> None:
        """Note a fault in words of its own."""
        self._faults[sentence] = None

    def get(self, *names: str) -> object:
        """Return the first of these columns that has a value, else None."""
        found = (self._values.get(name) for name in names)
        return next((value for value in found if value is not None), None)

    def text(self, *names: str) -> str:
        """Return a text of any number of lines, without surrounding space; empty when it is missing."""
        value = self.get(*names)
        if isinstance(value, bytes | memoryview):
            value = bytes(value).decode(errors="surrogateescape")
        text = "" if value is None else str(value)
        if _UNREADABLE.search(text):
            self.fault(self._name(names), text, "is no readable text: what cannot be read is replaced")
        return self.repair(text).strip()

    def line(self, *names: str, limit: int = 0) -> str:
        """Return a text of one line; controls become spaces, and what exceeds `limit` characters is cut off."""
        text = self.text(*names)
        if find_control(text):
            self.fault(self._name(names), text, "has several lines or control characters: they become spaces")
            text = make_printable(text).strip()
        if limit and len(text) > limit:
            self.fault(self._name(names), text, f"is longer than {limit} characters: it is cut off")
            text = text[:limit].strip()
        return text

    def number(self, *names: str, low: int = -(2**63), high: int = 2**63 - 1) -> int | None:
        """Return a whole number within the limits; None when it is missing or none."""
        value = self.get(*names)
        if value is None or value == "":
            return None
        try:
            number = int(value) if isinstance(value, float) and value.is_integer() else int(str(value))
        except (ValueError, OverflowError):
            self.fault(self._name(names), value, "is no whole number")
            return None
        if not low <= number <= high:
            self.fault(self._name(names), value, f"is not between {low} and {high}")
            return None
        return number

    def flag(self, *names: str, default: bool) -> bool:
        """Return a truth value."""
        value = self.get(*names)
        word = str(value).strip().lower()
        if value is None or word in _TRUE or word in _FALSE:
            return default if value is None else word in _TRUE
        self.fault(self._name(names), value, f"is neither true nor false: {default} is used")
        return default

    def mapping(self, *names: str) -> dict[str, Any] | None:
        """Return a JSON object, empty when it is missing; None when it is something else."""
        value = self.get(*names)
        if value is None or value == "":
            return {}
        try:
            found = json.loads(value) if isinstance(value, str | bytes) else value
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None

    def time(self, *names: str) -> datetime | None:
        """Return a time; one without a zone is UTC, as Django writes it."""
        value = self.get(*names)
        if value is None or value == "":
            return None
        try:
            found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
        except ValueError:
            self.fault(self._name(names), value, "is no time")
            return None
        if found.year not in _YEARS:
            self.fault(self._name(names), value, f"is not between {_YEARS[0]} and {_YEARS[-1]}")
            return None
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)

    def values_of(self, *names: str, what: str) -> dict[str, str]:
        """Return a JSON object of texts, such as an environment; what cannot be used in it is noted by its name."""
        raw = self.mapping(*names)
        if raw is None:
            self.note(f"its {what} is no JSON object; it comes over without")
            return {}
        found: dict[str, str] = {}
        for name, value in raw.items():
            text = value if isinstance(value, str) else "" if value is None else json.dumps(value)
            if not name or find_control(name) or _UNREADABLE.search(name):
                self.fault(what, name, "is no name of a variable: it does not come over")
            elif _UNREADABLE.search(text):
                # Without the value, which may be a secret.
                self.note(f"{what}.{name} has characters that no variable can have: it does not come over")
            else:
                found[name] = text
        return found

    @staticmethod
    def repair(text: str) -> str:
        """Replace what no database takes as text."""
        return _UNREADABLE.sub("\ufffd", text)

    def _name(self, names: tuple[str, ...]) -> str:
        return next((name for name in names if self._values.get(name) is not None), names[0])
