"""YAML document parsed from bytes that may be hostile, with the line of every value.

PyYAML's own loaders expand aliases without limit, take the last of two equal
keys and guess types by YAML 1.1 (`on`, `22:22`); Docker Compose does none of
these. So the values are built here from the parser's events: with limits
on size, depth and expanded nodes, and with the scalar types of YAML 1.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from services.catalog.domain.faults import Fault

Scalar = str | int | float | bool | None
Path = tuple[str | int, ...]
Value = Any
"""A plain tree: dict, list, str, int, float, bool or None."""

MAX_BYTES = 512 * 1024  # bytes; the largest definition in known collections has 120 KB
MAX_DEPTH = 32  # levels; definitions have ten
MAX_NODES = 40_000  # values after aliases are expanded, against documents that grow exponentially by them

_STANDARD = "tag:yaml.org,2002:"
# YAML 1.2 core schema: no octal, no binary, no sexagesimal numbers, and `yes` is a text.
_INT = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(
    r"[-+]?([0-9]{1,18}\.[0-9]{0,18}|\.[0-9]{1,18}|[0-9]{1,18}(?=[eE]))([eE][-+]?[0-9]{1,2})?"
)
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUES = frozenset({"true", "True", "TRUE"})
_FALSES = frozenset({"false", "False", "FALSE"})


class UnreadableDocumentError(Exception):
    """The bytes are not one well-formed YAML document within the limits."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed document: its value and the line (from 1) of every value in it."""

    file: str
    value: Value
    lines: dict[Path, int]

    def line_of(self, path: Path) -> int:
        """Return the line of the value at `path`, or of the nearest value around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


@dataclass(slots=True)
class _Anchor:
    value: Value
    nodes: int


def parse_document(
    data: bytes, file: str, *, max_bytes: int = MAX_BYTES, merges_lists: bool = False
) -> Document:
    """Parse the one YAML document in `data`.

    With `merges_lists`, `<<` also takes a list of texts, as Symfony's parser does: alone it is that list, beside other
    keys its `NAME=value` entries are keys.

    Raises:
        UnreadableDocumentError: too large, too deep, too many values once aliases
            are expanded, not UTF-8, a key given twice, or not YAML.
    """
    if len(data) > max_bytes:
        raise UnreadableDocumentError(Fault(file, 1, f"larger than the {max_bytes} bytes that are read"))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UnreadableDocumentError(Fault(file, line, f"not UTF-8 at byte {error.start}")) from None
    return _Builder(file, text, merges_lists=merges_lists).build()


class _Builder:
    """Builder of one document from the parser's events."""

    def __init__(self, file: str, text: str, *, merges_lists: bool = False) -> None:
        self._file = file
        self._text = text
        self._merges_lists = merges_lists
        self._anchors: dict[str, _Anchor] = {}
        self._lines: dict[Path, int] = {}
        self._nodes = 0
        self._line = 1

    def build(self) -> Document:
        events = self._read_events()
        try:
            self._expect(events, yaml.StreamStartEvent)
            self._expect(events, yaml.DocumentStartEvent)
            value = self._build_value(next(events), events, path=())
            self._expect(events, yaml.DocumentEndEvent)
            self._expect(events, yaml.StreamEndEvent)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark else self._line
            raise UnreadableDocumentError(Fault(self._file, line, f"not YAML: {error.problem}")) from None
        except yaml.reader.ReaderError as error:
            line = self._text[: error.position].count("\n") + 1
            raise UnreadableDocumentError(Fault(self._file, line, f"not YAML: {error.reason}")) from None
        except yaml.YAMLError as error:
            raise UnreadableDocumentError(Fault(self._file, self._line, f"not YAML: {error}")) from None
        return Document(self._file, value, self._lines)

    def _read_events(self) -> Iterator[yaml.Event]:
        for event in yaml.parse(self._text, Loader=yaml.CSafeLoader):
            # For faults that are found while a value is built, after its event was read.
            if event.start_mark is not None:
                self._line = event.start_mark.line + 1
            yield event

    def _expect(self, events: Iterator[yaml.Event], kind: type[yaml.Event]) -> None:
        event = next(events)
        if not isinstance(event, kind):
            raise self._refuse("a file must contain exactly one YAML document")

    def _refuse(self, message: str) -> UnreadableDocumentError:
        return UnreadableDocumentError(Fault(self._file, self._line, message))

    def _count(self, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise self._refuse(f"more than {MAX_NODES} values (aliases expanded)")

    def _build_value(self, event: yaml.Event, events: Iterator[yaml.Event], *, path: Path) -> Value:
        if isinstance(event, yaml.AliasEvent):
            return self._take_alias(event.anchor)
        self._lines[path] = self._line
        before = self._nodes
        self._count(1)
        if len(path) > MAX_DEPTH:
            raise self._refuse(f"nested deeper than {MAX_DEPTH} levels")
        value: Value
        if isinstance(event, yaml.MappingStartEvent):
            value = self._build_mapping(events, path)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._build_sequence(events, path)
        elif isinstance(event, yaml.ScalarEvent):
            value = self._build_scalar(event)
        else:
            raise self._refuse("the document is empty")
        if event.anchor:
            self._anchors[event.anchor] = _Anchor(value, self._nodes - before)
        return value

    def _take_alias(self, name: str | None) -> Value:
        anchor = self._anchors.get(name or "")
        if anchor is None:
            raise self._refuse(f"alias *{name} names nothing that ended before it")
        self._count(anchor.nodes)
        return anchor.value

    def _build_sequence(self, events: Iterator[yaml.Event], path: Path) -> list[Value]:
        values: list[Value] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            values.append(self._build_value(event, events, path=(*path, len(values))))
        return values

    def _build_mapping(self, events: Iterator[yaml.Event], path: Path) -> dict[str, Value] | list[Value]:
        values: dict[str, Value] = {}
        merged: list[Value] = []
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise self._refuse("a key must be a plain word")
            key, line = event.value, self._line
            is_plain, tag = event.implicit[0], event.tag
            if key in values:
                raise self._refuse(f"the key {key!r} is given twice")
            value = self._build_value(next(events), events, path=(*path, key))
            if key == "<<" and (is_plain or tag == f"{_STANDARD}merge"):
                merged += value if isinstance(value, list) else [value]
                continue
            self._lines[(*path, key)] = line
            values[key] = value
        if self._merges_lists and merged and all(isinstance(one, str) for one in merged):
            if not values:
                return merged
            pairs = [str(one).partition("=") for one in merged]
            merged = [{name: text if equals else None for name, equals, text in pairs}]
        for source in merged:
            if not isinstance(source, dict):
                raise self._refuse("`<<` merges mappings only")
            for key, value in source.items():
                values.setdefault(key, value)
        return values

    def _build_scalar(self, event: yaml.ScalarEvent) -> Scalar:
        tag = event.tag
        if tag is None:
            return parse_scalar(event.value) if event.implicit[0] else str(event.value)
        if tag in {"!", _STANDARD + "str"}:
            return str(event.value)
        if tag.removeprefix(_STANDARD) in {"int", "float", "bool", "null"}:
            return parse_scalar(event.value)
        raise self._refuse(f"the tag {tag} is not understood")


def parse_scalar(text: str) -> Scalar:
    """Read a plain scalar as YAML 1.2 does (`on`, `22:22` and dates stay text)."""
    if text in _NULLS:
        return None
    if text in _TRUES or text in _FALSES:
        return text in _TRUES
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
