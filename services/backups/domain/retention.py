"""Retention: which archives of an app a policy keeps, by Proxmox's algorithm for `prune-backups`.

The rules apply in the order last, hourly, daily, weekly, monthly, yearly. A rule skips periods in which an earlier rule
already keeps an archive; going down the unmarked ones it keeps the newest of each new period until it has as many as it
says, and marks the older ones of these periods for removal at once, so that later rules do not see them. Only periods that
have archives count. Periods are those of the policy's time zone, without regard to the offset: an hour that the clock
repeats is one period.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from services.backups.domain.errors import RetentionInvalidError
from services.common.core.errors import Violation

MAX_KEEP = 1000  # archives per rule; three years of days


class Mark(StrEnum):
    """Decision of the retention on an archive."""

    KEEP = "keep"
    REMOVE = "remove"
    PROTECTED = "protected"


@dataclass(frozen=True, kw_only=True)
class Retention:
    """Numbers of periods of which the newest archive stays; 0: the rule is not used.

    Raises:
        RetentionInvalidError: a number is out of range, or all are 0.
    """

    last: int = 0
    hourly: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0

    def __post_init__(self) -> None:
        for name, count in vars(self).items():
            if not 0 <= count <= MAX_KEEP:
                raise _refuse(f"keep_{name}", f"{count} is not between 0 and {MAX_KEEP}")
        if not any(astuple(self)):
            raise _refuse("keep_last", "the policy would keep nothing; set at least one keep_ value above 0")


@dataclass(frozen=True, kw_only=True)
class StoredArchive:
    """A completed backup as retention sees it.

    Attributes:
        is_tested: a restore test passed.
    """

    id: int
    made_at: datetime
    is_protected: bool = False
    is_tested: bool = False


def mark_archives(
    archives: Sequence[StoredArchive], retention: Retention, *, zone: ZoneInfo
) -> dict[int, Mark]:
    """Mark archives, by id, exactly as Proxmox marks one guest's archives on a node in this time zone.

    Protected archives are neither counted nor do they cover their period.
    """
    marks = {each.id: Mark.PROTECTED for each in archives if each.is_protected}
    # Each rule goes down this one order, as Proxmox does.
    newest_first = sorted(
        (each for each in archives if not each.is_protected), key=lambda each: each.made_at, reverse=True
    )
    times = {each.id: each.made_at.astimezone(zone) for each in newest_first}
    for count, find_period in zip(astuple(retention), _PERIODS, strict=True):
        _mark_rule([(each, find_period(time)) for each, time in times.items()], count, marks=marks)
    return {each.id: marks.get(each.id, Mark.REMOVE) for each in archives}


def mark_removable(
    archives: Sequence[StoredArchive], retention: Retention, *, zone: ZoneInfo
) -> dict[int, Mark]:
    """Mark archives as `mark_archives`, but keep the newest one and the newest one whose restore test passed."""
    marks = mark_archives(archives, retention, zone=zone)
    for candidates in (archives, [each for each in archives if each.is_tested]):
        # By id too: where the clock was set back, the last one that was made is not the one with the latest time.
        for newest in (max(candidates, key=find, default=None) for find in (_find_age, _find_id)):
            if newest and marks[newest.id] is Mark.REMOVE:
                marks[newest.id] = Mark.KEEP
    return marks


def _find_age(archive: StoredArchive) -> tuple[datetime, int]:
    return archive.made_at, archive.id


def _find_id(archive: StoredArchive) -> int:
    return archive.id


def _mark_rule(periods: Sequence[tuple[int, Hashable]], count: int, *, marks: dict[int, Mark]) -> None:
    """Apply one rule to archives, newest first."""
    if not count:
        return
    # What an earlier rule removed does not cover its period, what it keeps does.
    covered = {period for each, period in periods if marks.get(each) is Mark.KEEP}
    new: set[Hashable] = set()
    for each, period in periods:
        if each in marks or period in covered:
            continue
        if period in new:
            marks[each] = Mark.REMOVE
        elif len(new) == count:
            return
        else:
            new.add(period)
            marks[each] = Mark.KEEP


def _second(time: datetime) -> Hashable:
    # keep-last counts archives: two of one second are one, as their names would be in Proxmox.
    return int(time.timestamp())


def _hour(time: datetime) -> Hashable:
    return time.date(), time.hour


def _day(time: datetime) -> Hashable:
    return time.date()


def _week(time: datetime) -> Hashable:
    # ISO weeks: the year of a week may differ from that of its days.
    return time.isocalendar()[:2]


def _month(time: datetime) -> Hashable:
    return time.year, time.month


def _year(time: datetime) -> Hashable:
    return time.year


_PERIODS: tuple[Callable[[datetime], Hashable], ...] = (_second, _hour, _day, _week, _month, _year)


def _refuse(field: str, problem: str) -> RetentionInvalidError:
    return RetentionInvalidError(f"{field}: {problem}", violations=[Violation(field, problem)])
