"""What two answers have in common: status, reason, and the fields and types of the body."""

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from tests.pvesim.replay.client import Answer

VARYING = (
    (re.compile(r"UPID:[^\s'\"]+"), "<upid>"),
    (re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2}){5}"), "<mac>"),
    (re.compile(r"\.tmp\.\d+"), ".<temporary>"),
    (re.compile(r"vzdump-[0-9a-f-]{36}\.json\.tmp\.\d+"), "<temporary>"),
)


@dataclass
class Verdict:
    """How one exchange came out."""

    label: str
    request: str
    status_agrees: bool
    fields: int = 0
    agreeing: int = 0
    remarks: list[str] = field(default_factory=list)


def simplify(text: str) -> str:
    """A text without what differs from run to run."""
    for pattern, word in VARYING:
        text = pattern.sub(word, text)
    return text.strip()


def compare(label: str, request: str, *, want: dict[str, Any], got: Answer) -> Verdict:
    """Judge an answer by the recorded one."""
    same = want["status"] == got.status and simplify(want["reason"]) == simplify(got.reason)
    verdict = Verdict(label, request, same)
    if not same:
        verdict.remarks.append(f"want {want['status']} {want['reason']!r}, got {got.status} {got.reason!r}")
    compare_bodies(verdict, want["body"], got.body)
    return verdict


def compare_bodies(verdict: Verdict, want: Any, got: Any) -> None:
    """Count the fields that both have with the same types."""
    if want == "...":
        return
    if isinstance(want, str) and not isinstance(got, str):
        # A client that could not read the body wrote it down as text.
        want = got
    wanted, found = list_fields(want), list_fields(got)
    for path in sorted({*wanted, *found}):
        verdict.fields += 1
        if wanted.get(path, set()) & found.get(path, set()):
            verdict.agreeing += 1
        else:
            verdict.remarks.append(f"{path}: want {_say(wanted.get(path))}, got {_say(found.get(path))}")


def _say(kinds: set[str] | None) -> str:
    return "/".join(sorted(kinds)) if kinds else "nothing"


def list_fields(body: Any) -> dict[str, set[str]]:
    """Every path in a body and the types found there; the texts of errors count as types."""
    found: dict[str, set[str]] = defaultdict(set)
    _collect(body, "", found)
    return found


def _collect(value: Any, path: str, found: dict[str, set[str]]) -> None:
    if isinstance(value, dict):
        found[path].add("object")
        for key, inner in value.items():
            _collect(inner, f"{path}.{key}", found)
    elif isinstance(value, list):
        found[path].add("list")
        for inner in value:
            _collect(inner, f"{path}[]", found)
    elif path == ".message" or path.startswith(".errors."):
        found[path].add(repr(simplify(str(value))))
    elif isinstance(value, bool | int | float):
        found[path].add("number")
    else:
        found[path].add(type(value).__name__)
