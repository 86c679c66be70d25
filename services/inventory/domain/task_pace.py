"""Intervals between looks at a task: long at first, and short when tasks of its kind usually end on its host."""

from __future__ import annotations

_FIRST_S = 0.02  # some tasks end at once
_BRIEF_S = 0.16  # tasks of unknown length: a creation and a start take about a second each on a real server
_LONGEST_S = 1.0  # people who watch see the end of a long task a second late
_SHARE = 0.15  # of the time that a task has taken so far: what its end may be noticed too late
_BEFORE_S = 0.25  # until the expected end comes near: a task that ends sooner is seen this late at most
_NEAR, _OVERDUE = 0.9, 1.3  # parts of the expected time: within them a task ends most of the time
_NEAR_S = 0.03  # a request takes 10 ms on a real server
_NEAR_SHARE = 0.04  # of the expected time: ten looks from _NEAR to _OVERDUE
_LONGEST_EXPECTED_S = 10.0  # what takes longer varies more, and half a second late costs nothing there
_WEIGHT = 0.5  # of the last task beside those before it


class TaskTimes:
    """Durations of recent tasks of a host, by kind."""

    def __init__(self) -> None:
        self._expected: dict[str, float] = {}

    def expect(self, kind: str) -> float | None:
        """Return how many seconds a task of a kind takes; None for unknown or long."""
        return self._expected.get(kind)

    def note(self, kind: str, seconds: float) -> None:
        """Remember how long a task took; long ones are forgotten."""
        if seconds > _LONGEST_EXPECTED_S:
            self._expected.pop(kind, None)
            return
        before = self._expected.get(kind, seconds)
        self._expected[kind] = before + _WEIGHT * (seconds - before)


def choose_delay(before: float | None, *, elapsed: float, expected: float | None) -> float:
    """Return the seconds until the next look at a task.

    Args:
        before: the last delay; None for the first.
        elapsed: since the task began.
        expected: how long such tasks take, if known.
    """
    if expected is not None and elapsed < expected * _OVERDUE:
        near = expected * _NEAR
        if elapsed < near:
            return min(max(_BEFORE_S, elapsed * _SHARE), max(near - elapsed, _FIRST_S))
        return max(_NEAR_S, expected * _NEAR_SHARE)
    delay = _FIRST_S if before is None else min(before * 2, _BRIEF_S)
    return min(max(delay, elapsed * _SHARE), _LONGEST_S)
