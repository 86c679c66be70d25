"""Schedules of backups: five-field cron in a named time zone, the runs they give, missed and overdue runs.

The fields are evaluated by cronsim, whose rules on a change of the clock are those of Debian's cron: a time of day that
the clock skips runs at the first minute after the gap, one that occurs twice runs at its first occurrence, and `*/30`
runs through both hours. Times go in and out in UTC; only the zone's name is stored, never an offset.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from services.backups.domain.errors import ScheduleInvalidError
from services.common.core.errors import Violation

# daily and weekly run at 03:00: after the hour that changes of the clock skip or repeat in Europe and America.
PRESETS = {"hourly": "0 * * * *", "daily": "0 3 * * *", "weekly": "0 3 * * 0"}
_FIELDS = 5  # of cron; six are seconds for cronsim, which a backup does not need
_MAX_LENGTH = 100  # characters; the longest useful list of minutes and hours has about 80
_MIN_INTERVAL = timedelta(
    minutes=15
)  # a container's archive takes minutes, and one is made per node at a time
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
    """

    cron: str
    zone: ZoneInfo
    window: timedelta = timedelta(0)

    def list_slots(self, after: datetime) -> Iterator[datetime]:
        """Yield the slots later than `after` in UTC, each later than the one before."""
        last = after.astimezone(UTC)
        # 3 hours back: cronsim reads a local time, which may occur twice, as its first occurrence.
        found = CronSim(self.cron, (last - timedelta(hours=3)).astimezone(self.zone))
        for local in found:
            slot = local.astimezone(UTC)
            if slot > last:  # two local times that the clock skips may become one slot
                last = slot
                yield slot

    def find_next_slot(self, after: datetime) -> datetime:
        """Return the first slot later than `after`, in UTC."""
        return next(self.list_slots(after))

    def find_last_slot(self, until: datetime) -> datetime | None:
        """Return the newest slot not later than `until`, in UTC; None when there was none within nine years.

        Forward from ever earlier times, because the rules of a change of the clock hold in that direction.
        """
        # Hourly, daily, weekly, monthly, yearly, and 29 February around 2100.
        for hours in (2, 48, 9 * 24, 33 * 24, 367 * 24, 366 * 9 * 24):
            slots = self.list_slots(until - timedelta(hours=hours))
            found = list(itertools.takewhile(lambda slot: slot <= until, slots))
            if found:
                return found[-1]
        return None

    def find_offset(self, app_id: str) -> timedelta:
        """Return an app's place in the window: a hash of its id, so that it is the same at every run."""
        seconds = int(self.window.total_seconds())
        if not seconds:
            return timedelta(0)
        number = int.from_bytes(hashlib.sha256(app_id.encode()).digest()[:8])
        return timedelta(seconds=number % seconds)


def find_due_slot(schedule: Schedule, app_id: str, *, after: datetime, now: datetime) -> datetime | None:
    """Find the slot for which an app's backup is to be made now: the newest one later than `after`, and that alone.

    A slot that is older than half of the time to the next one is not made up: the next one is nearer.
    """
    offset = schedule.find_offset(app_id)
    slot = schedule.find_last_slot(now - offset)
    if slot is None or slot <= after:
        return None
    half = (schedule.find_next_slot(slot) - slot) / 2
    return slot if now - offset - slot < half else None


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
    offset = schedule.find_offset(app_id)
    slot = schedule.find_last_slot(now - offset)
    if slot is None:
        return None
    half = (schedule.find_next_slot(slot) - slot) / 2
    if now - offset - slot < half:
        slot = schedule.find_last_slot(slot - timedelta(seconds=1))
    return slot if slot is not None and covered_since < slot else None


def parse_schedule(
    text: str, zone_name: str, *, window: timedelta = timedelta(0), field: str = "schedule"
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
            f"{text[:_MAX_LENGTH]!r} has {count} fields instead of five (minute, hour, day of the month, month, weekday){hint}; "
            f"or use {', '.join(PRESETS)}",
        )
    if len(cron) > _MAX_LENGTH:
        raise _refuse(field, f"it has {len(cron)} characters; at most {_MAX_LENGTH} are allowed")
    try:
        CronSim(cron, datetime(2024, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise _refuse(field, f"{cron!r} is not a cron expression whose dates exist: {error}") from error
    schedule = Schedule(cron=cron, zone=zone, window=window)
    _check_frequency(schedule, field)
    return schedule


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
    return frozenset(available_timezones()) - _LOCAL_NAMES


def _check_frequency(schedule: Schedule, field: str) -> None:
    # In UTC, where no change of the clock moves a slot close to the next one.
    in_utc = Schedule(cron=schedule.cron, zone=ZoneInfo("UTC"))
    slots = list(itertools.islice(in_utc.list_slots(datetime(2024, 1, 1, tzinfo=UTC)), _PROBED_RUNS))
    if not slots:
        raise _refuse(field, f"{schedule.cron!r} has no date in 50 years")
    nearest = min((later - earlier for earlier, later in itertools.pairwise(slots)), default=_MIN_INTERVAL)
    if nearest < _MIN_INTERVAL:
        raise _refuse(
            field,
            f"{schedule.cron!r} has runs {_minutes(nearest)} minutes apart; at least {_minutes(_MIN_INTERVAL)} are required",
        )


def _minutes(time: timedelta) -> int:
    return int(time.total_seconds() // 60)


def _refuse(field: str, problem: str) -> ScheduleInvalidError:
    return ScheduleInvalidError(f"{field}: {problem}", violations=[Violation(field, problem)])
