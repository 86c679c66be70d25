"""Operations that another release began: their steps are matched by name with those of this one.

A position alone would name another step where a release has added one, and a step would be left out or run twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_PENDING = "pending"


def find_place(
    recorded: Sequence[tuple[str, str]], index: int, wanted: Sequence[str], *, undoing: bool
) -> int:
    """Find the position at which an operation goes on among the steps `wanted`.

    Args:
        recorded: name and status of each step, as the release wrote them down that began the operation.
        index: where it is among those; their number when all are done.
        wanted: the names of this release's steps.
        undoing: it is taken back, from there to the first.
    """
    names = [name for name, _ in recorded]
    if undoing:
        return next((wanted.index(name) for name in reversed(names[: index + 1]) if name in wanted), 0)
    following = next((wanted.index(name) for name in names[index:] if name in wanted), None)
    has_begun = index < len(recorded) and recorded[index][1] != _PENDING
    if has_begun and following is not None:
        return following  # what is new before a step under way comes too late
    return max((wanted.index(name) + 1 for name in names[:index] if name in wanted), default=0)


def align_rows(
    rows: Sequence[dict[str, Any]], place: int, wanted: Sequence[tuple[str, str]]
) -> list[dict[str, Any]]:
    """The rows of `operation_steps` for the steps `wanted`, of which those before `place` are over."""
    known = {row["name"]: row for row in rows}
    key = {"operation_id": rows[0]["operation_id"]}
    return [
        {**(known.get(name) or _make_row(is_over=position < place)), **key, "position": position}
        | {"name": name, "description": description}
        for position, (name, description) in enumerate(wanted)
    ]


def _make_row(*, is_over: bool) -> dict[str, Any]:
    return {
        "status": "done" if is_over else _PENDING,
        "attempts": 0,
        "started_at": None,
        "finished_at": None,
        "message": "left out: the release that began the operation had no such step" if is_over else "",
        "upids": [],
    }
