"""Schedules of backups: five-field cron in a named time zone, the runs they give, missed and overdue runs.

Times go in and out in UTC; only the zone's name is stored, never an offset. What a change of the clock does: `cron`.
"""

from __future__ import annotations

import hashlib
import itertools
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from services.backups.domain.cron import Cron
from services.backups.domain.errors import ScheduleInvalidError
from services.common.core.errors import Violation

# daily and weekly run at 03:00: after the hour that changes of the clock skip or repeat in Europe and America.
PRESETS = {"hourly": "0 * * * *", "daily": "0 3 * * *", "weekly": "0 3 * * 0"}
_FIELDS = 5  # of cron; six are seconds for cronsim, which a backup does not need
_MAX_LENGTH = 100  # characters; the longest useful list of minutes and hours has about 80
_MIN_INTERVAL = timedelta(
    minutes=15
)  # a container's archive takes minutes, and one is made per node at a time
_PROBED_FROM = datetime(2024, 1, 1, tzinfo=UTC)  # a leap year, so that 29 February is met
_PROBED_RUNS = 200  # runs whose distances are compared: every distance within a day, and each weekday
_LOCAL_NAMES = frozenset(
    {"localtime", "Factory"}
)  # in the database of zones, but not the same zone everywhere


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A valid schedule.

    Attributes:
        cron: minute, hour, day of the month, month, weekday. Day of the month and weekday together mean "or".
        zone: IANA name.
        window: runs of several apps are spread over this time after each slot.
        jitter: each run begins up to so much later, by a time that differs from slot to slot.
    """

    cron: str
    zone: ZoneInfo
    window: timedelta = timedelta(0)
    jitter: timedelta = timedelta(0)

    def list_slots(self, after: datetime) -> Iterator[datetime]:
        """Yield the slots later than `after` in UTC, each later than the one before."""
        last = after.astimezone(UTC)
        # 3 hours back: cronsim reads a local time, which may occur twice, as its first occurrence.
        found = Cron(self.cron, (last - timedelta(hours=3)).astimezone(self.zone))
        for local in found:
            slot = local.astimezone(UTC)
            if slot > last:  # two local times that the clock skips may become one slot
                last = slot
                yield slot

    def find_next_slot(self, after: datetime) -> datetime:
        """Return the first slot later than `after`, in UTC."""
        day = after.astimezone(UTC).date()
        slots = _list_day_slots(self.cron, self.zone, day=day)
        later = bisect_right(slots, after)
        if later < len(slots):
            return slots[later]
        return _find_slot_from(self.cron, self.zone, day=day + timedelta(days=1))

    def find_last_slot(self, until: datetime) -> datetime | None:
        """Return the newest slot not later than `until`, in UTC; None when there was none within nine years."""
        day = until.astimezone(UTC).date()
        slots = _list_day_slots(self.cron, self.zone, day=day)
        later = bisect_right(slots, until)
        return slots[later - 1] if later else _find_slot_before(self.cron, self.zone, day=day)

    def find_shortest_interval(self) -> timedelta:
        """Return the shortest time between two slots, without changes of the clock."""
        return _find_shortest_interval(self.cron)

    def find_offset(self, app_id: str) -> timedelta:
        """Return an app's place in the window: a hash of its id, so that it is the same at every run."""
        return _choose_time(app_id, self.window)

    def find_delay(self, app_id: str, slot: datetime) -> timedelta:
        """Return how long after a slot an app's run begins: its place in the window, and the jitter of this slot."""
        return self.find_offset(app_id) + _choose_time(f"{app_id}/{slot.isoformat()}", self.jitter)


# Slots are searched once for each day of UTC: at every look for due runs, all apps of a policy need the same ones.
@lru_cache(maxsize=1024)
def _list_day_slots(cron: str, zone: ZoneInfo, *, day: date) -> tuple[datetime, ...]:
    begin = datetime.combine(day, time(), UTC)
    slots = Schedule(cron=cron, zone=zone).list_slots(begin - timedelta(microseconds=1))
    return tuple(itertools.takewhile(lambda slot: slot < begin + timedelta(days=1), slots))


@lru_cache(maxsize=1024)
def _find_slot_before(cron: str, zone: ZoneInfo, *, day: date) -> datetime | None:
    """Search forward from ever earlier times, because the rules of a change of the clock hold in that direction."""
    begin, schedule = datetime.combine(day, time(), UTC), Schedule(cron=cron, zone=zone)
    # Hourly, daily, weekly, monthly, yearly, and 29 February around 2100.
    for hours in (2, 48, 9 * 24, 33 * 24, 367 * 24, 366 * 9 * 24):
        slots = schedule.list_slots(begin - timedelta(hours=hours))
        found = list(itertools.takewhile(lambda slot: slot < begin, slots))
        if found:
            return found[-1]
    return None


@lru_cache(maxsize=1024)
def _find_slot_from(cron: str, zone: ZoneInfo, *, day: date) -> datetime:
    begin = datetime.combine(day, time(), UTC)
    return next(Schedule(cron=cron, zone=zone).list_slots(begin - timedelta(microseconds=1)))


@lru_cache(maxsize=256)
def _choose_time(text: str, longest: timedelta) -> timedelta:
    """Return a time below `longest` that depends on a text alone, in seconds."""
    seconds = int(longest.total_seconds())
    if not seconds:
        return timedelta(0)
    return timedelta(seconds=int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) % seconds)


def find_due_slot(schedule: Schedule, app_id: str, *, after: datetime, now: datetime) -> datetime | None:
    """Find the slot for which an app's backup is to be made now: the newest one later than `after`, and that alone.

    A slot that is older than half of the time to the next one is not made up: the next one is nearer.
    """
    found = _find_begun_slot(schedule, app_id, now=now)
    if found is None or found.slot <= after or found.is_late:
        return None
    return found.slot


def find_overdue_slot(
    schedule: Schedule, app_id: str, *, covered_since: datetime, now: datetime
) -> datetime | None:
    """Find the newest slot whose backup should exist by now; None when `covered_since` is not before it.

    Computed from the schedule alone, so that a scheduler that stands still is noticed. A slot is expected to be done
    when it would not be made up any more, at half of the time to the next one.

    Args:
        schedule: the policy's.
        app_id: of the app that is backed up.
        covered_since: when the last good backup began, or the policy began to apply to the app if that is later.
        now: the current time.
    """
    found = _find_begun_slot(schedule, app_id, now=now)
    # With a long jitter one run may still be made up when the next slot has come: as many are looked at as can be under way.
    while found is not None and not found.is_late:
        found = _find_begun_slot(schedule, app_id, now=now, before=found.slot)
    return found.slot if found is not None and covered_since < found.slot else None


@dataclass(frozen=True)
class _BegunSlot:
    """A slot whose run should have begun; `is_late`: it would not be made up any more."""

    slot: datetime
    is_late: bool


def _find_begun_slot(
    schedule: Schedule, app_id: str, *, now: datetime, before: datetime | None = None
) -> _BegunSlot | None:
    """Find the newest slot whose run should have begun by now, of those before another one."""
    until = now - schedule.find_offset(app_id)
    slot = schedule.find_last_slot(until if before is None else before - timedelta(seconds=1))
    # A slot that the jitter delays beyond now leaves the one before it as the newest.
    while slot is not None and (late := now - slot - schedule.find_delay(app_id, slot)) < timedelta(0):
        slot = schedule.find_last_slot(slot - timedelta(seconds=1))
    if slot is None:
        return None
    half = (schedule.find_next_slot(slot) - slot) / 2
    return _BegunSlot(slot, is_late=late >= half)


def parse_schedule(
    text: str,
    zone_name: str,
    *,
    window: timedelta = timedelta(0),
    jitter: timedelta = timedelta(0),
    field: str = "schedule",
) -> Schedule:
    """Parse a preset or a cron expression.

    Raises:
        ScheduleInvalidError: the text is no schedule, has dates that do not exist, or runs too often; or there is no
            such zone.
    """
    zone = _parse_zone(zone_name)
    cron = " ".join(PRESETS.get(text.strip().lower(), text).split())
    count = len(cron.split())
    if count != _FIELDS:
        hint = "; seconds are not supported" if count == _FIELDS + 1 else ""
        raise _refuse(
            field,
            f"{text[:_MAX_LENGTH]!r} has {count} field{'' if count == 1 else 's'} instead of five (minute, hour, day of the month, month, weekday){hint}; "
            f"or use {', '.join(PRESETS)}",
        )
    if len(cron) > _MAX_LENGTH:
        raise _refuse(field, f"it has {len(cron)} characters; at most {_MAX_LENGTH} are allowed")
    try:
        CronSim(cron, datetime(2024, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise _refuse(
            field, f"{cron!r} is not a cron expression whose dates exist: {_explain(error)}"
        ) from error
    schedule = Schedule(cron=cron, zone=zone, window=window, jitter=jitter)
    _check_frequency(schedule, field)
    return schedule


def _explain(error: CronSimError) -> str:
    """Name the field that is wrong, in place of cronsim's `Bad day-of-month`."""
    name = str(error).removeprefix("Bad ").replace("-", " ")
    return (
        f"the {name} has a value that is out of range or does not occur" if name != str(error) else str(error)
    )


def _parse_zone(name: str) -> ZoneInfo:
    if name not in list_zones():
        raise _refuse(
            "time_zone",
            f"{name[:_MAX_LENGTH]!r} is not an IANA time zone; use a name such as Europe/Rome or UTC",
        )
    return ZoneInfo(name)


@cache
def list_zones() -> frozenset[str]:
    """List the names of all time zones, without the machine's own."""
    # Read once: the database of zones is hundreds of files.
    return frozenset(available_timezones()) - _LOCAL_NAMES


def _check_frequency(schedule: Schedule, field: str) -> None:
    if next(schedule.list_slots(_PROBED_FROM), None) is None:
        raise _refuse(field, f"{schedule.cron!r} has no date in 50 years")
    nearest = schedule.find_shortest_interval()
    if nearest < _MIN_INTERVAL:
        raise _refuse(
            field,
            f"the shortest time between two runs of {schedule.cron!r} is {_minutes(nearest)} min; at least "
            f"{_minutes(_MIN_INTERVAL)} min are required",
        )


@lru_cache(maxsize=256)
def _find_shortest_interval(cron: str) -> timedelta:
    # In UTC, where no change of the clock moves a slot close to the next one.
    in_utc = Schedule(cron=cron, zone=ZoneInfo("UTC"))
    slots = itertools.islice(in_utc.list_slots(_PROBED_FROM), _PROBED_RUNS)
    return min((later - earlier for earlier, later in itertools.pairwise(slots)), default=timedelta(days=365))


def _minutes(time: timedelta) -> int:
    return int(time.total_seconds() // 60)


def _refuse(field: str, problem: str) -> ScheduleInvalidError:
    return ScheduleInvalidError(f"{field}: {problem}", violations=[Violation(field, problem)])
