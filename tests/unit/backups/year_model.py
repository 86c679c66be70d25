"""A model of a year of policies, written without the code that it judges: slots by the clock on the wall, runs, retention."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

RULES = ("last", "hourly", "daily", "weekly", "monthly", "yearly")
_FORMATS = (
    "%s",
    "%Y/%m/%d/%H",
    "%Y/%m/%d",
    "%G/%V",
    "%Y/%m",
    "%Y",
)  # of the periods, as PVE::Storage has them


@dataclass
class Made:
    """A backup in the model."""

    made_at: datetime
    is_good: bool
    is_protected: bool = False


def list_daily_slots(first: date, days: int, at: time, zone: ZoneInfo) -> list[datetime]:
    """List the slots of a time of day: the first of two in autumn; in spring the first minute after the gap."""
    slots = []
    for number in range(days):
        local = datetime.combine(first + timedelta(days=number), at, zone)
        utc = local.astimezone(UTC)
        while utc.astimezone(zone).time().replace(tzinfo=None) < at:  # the clock went from before to after it
            utc += timedelta(minutes=1)
        if utc.astimezone(zone).replace(fold=0) != local:  # skipped: the gap ends at a full hour
            utc = utc.replace(minute=0)
        slots.append(utc)
    return slots


def list_hourly_slots(first: datetime, hours: int) -> list[datetime]:
    """List the full hours: every one, in whatever zone, as a change of the clock is one of whole hours."""
    return [first + timedelta(hours=number) for number in range(hours)]


def list_runs(
    slots: Sequence[datetime],
    ticks: Sequence[datetime],
    *,
    find_delay: Callable[[datetime], timedelta],
    is_free: Callable[[datetime], bool],
) -> list[datetime]:
    """List the ticks at which runs begin: the first free one from each slot on, until half of the time to the next."""
    runs, position = [], 0
    for slot, following in pairwise(slots):
        begin = slot + find_delay(slot)
        while position < len(ticks) and ticks[position] < begin:
            position += 1
        for tick in _take_until(ticks, position, begin + (following - slot) / 2):
            if is_free(tick):
                runs.append(tick)
                break
    return runs


def _take_until(ticks: Sequence[datetime], position: int, end: datetime) -> Iterable[datetime]:
    while position < len(ticks) and ticks[position] < end:
        yield ticks[position]
        position += 1


def prune(backups: list[Made], keep: dict[str, int], zone: ZoneInfo) -> list[Made]:
    """Return what stays of an app's backups, oldest first, as Proxmox's prune_mark_backup_group does.

    Before: nothing is removed after a failed run. Besides: the newest good one stays.
    """
    if not backups or not backups[-1].is_good:
        return backups
    good = [one for one in reversed(backups) if one.is_good and not one.is_protected]
    marks: dict[int, str] = {}
    for rule, form in zip(RULES, _FORMATS, strict=True):
        wanted = keep.get(rule, 0)
        if not wanted:
            continue
        already = {_find_period(one.made_at, form, zone) for one in good if marks.get(id(one)) == "keep"}
        new: set[str] = set()
        for one in good:
            if id(one) in marks:
                continue
            period = _find_period(one.made_at, form, zone)
            if period in already:
                continue
            if period not in new:
                if len(new) >= wanted:
                    break
                new.add(period)
                marks[id(one)] = "keep"
            else:
                marks[id(one)] = "remove"
    newest = next((one for one in reversed(backups) if one.is_good), None)
    return [
        one
        for one in backups
        if not one.is_good or one.is_protected or one is newest or marks.get(id(one)) == "keep"
    ]


@cache  # each backup is looked at in many of the year's thousand removals
def _find_period(made_at: datetime, form: str, zone: ZoneInfo) -> str:
    return str(int(made_at.timestamp())) if form == "%s" else made_at.astimezone(zone).strftime(form)
