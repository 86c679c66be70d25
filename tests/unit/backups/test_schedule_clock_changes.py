"""Schedules on days whose clocks change, compared with a search through every minute."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim

from services.backups.domain.schedules import Schedule, parse_schedule

MINUTE = timedelta(minutes=1)
# The first ones skip or repeat the hour around midnight; then two o'clock, half an hour, two hours, and Ramadan.
ZONES = [
    "America/Santiago",
    "Africa/Cairo",
    "Asia/Beirut",
    "America/Havana",
    "Atlantic/Azores",
    "America/Nuuk",
    "Europe/Rome",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Africa/Casablanca",
]
CRONS = [
    "0 0 * * *",
    "30 0 * * *",
    "0,30 0,1 * * *",
    "* * * * *",
    "*/30 * * * *",
    "15 * * * *",
    "30 0-23 * * *",
    "30 * * * 0",
    "*/30 * * * 5",
    "*/30 0 * * *",
    "*/30 1 * * 0",
    "*/30 1 * * 5",
    "*/30 2 * * *",
    "*/20 23 * * 6",
    "0 */12 * * *",
    "15 */6 * * 0",
    "*/30 */2 * * *",
    "0 23 * * *",
    "30 2 * * *",
    "0 0 5 4,9 *",
]


def find_changes(zone: ZoneInfo) -> list[datetime]:
    """Find the changes of the clock in 2026, to the half hour."""
    year = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=30 * each) for each in range(365 * 48)]
    return [
        later
        for earlier, later in itertools.pairwise(year)
        if later.astimezone(zone).utcoffset() != earlier.astimezone(zone).utcoffset()
    ]


def exists(local: datetime, zone: ZoneInfo) -> bool:
    return local.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None) == local


def list_minutes(begin: datetime, end: datetime) -> Iterator[datetime]:
    while begin < end:
        yield begin
        begin += MINUTE


def search_slots(cron: str, zone: ZoneInfo, *, begin: datetime, end: datetime) -> list[datetime]:
    """Search every minute: of the time that passes, for all hours; else of the local times, each once."""
    fields = CronSim(cron, datetime(2026, 1, 1, tzinfo=UTC))

    def is_wanted(local: datetime) -> bool:
        return (
            local.minute in fields.minutes
            and local.hour in fields.hours
            and local.month in fields.months
            and fields.match_day(local.date())
        )

    if fields.hours == set(range(24)):
        return [each for each in list_minutes(begin, end) if is_wanted(each.astimezone(zone))]
    found = set()
    margin = timedelta(hours=15)  # more than any offset from UTC
    for local in list_minutes((begin - margin).replace(tzinfo=None), (end + margin).replace(tzinfo=None)):
        if is_wanted(local):
            real = local
            while not exists(real, zone):
                real += MINUTE
            found.add(real.replace(tzinfo=zone).astimezone(UTC))
    return sorted(each for each in found if begin <= each < end)


@pytest.mark.parametrize("zone_name", ZONES)
def test_every_schedule_runs_as_a_search_through_all_minutes_finds(zone_name: str) -> None:
    zone = ZoneInfo(zone_name)
    changes = find_changes(zone)
    assert len(changes) >= 2
    for change, cron in itertools.product(changes, CRONS):
        begin, end = change - timedelta(hours=26), change + timedelta(hours=26)
        slots = Schedule(cron=cron, zone=zone).list_slots(begin - timedelta(microseconds=1))
        found = list(itertools.takewhile(lambda slot, end=end: slot < end, slots))  # type: ignore[misc]
        assert found == search_slots(cron, zone, begin=begin, end=end), (cron, change)


@pytest.mark.parametrize(
    ("zone_name", "day"),
    [
        ("America/Santiago", "2026-09-06"),
        ("Africa/Cairo", "2026-04-24"),
        ("Asia/Beirut", "2026-03-29"),
        ("America/Havana", "2026-03-08"),
    ],
)
@pytest.mark.parametrize(
    ("cron", "times"),
    [
        ("0 0 * * *", ["01:00"]),
        ("*/30 0 * * *", ["01:00"]),
        ("*/30 1 * * 0,5", ["01:00", "01:30"]),
        ("0 */12 * * *", ["01:00", "12:00"]),
        ("0 */12 * * 0,5", ["01:00", "12:00"]),
        ("0 3 * * *", ["03:00"]),
    ],
)
def test_a_day_without_midnight_has_its_runs(zone_name: str, day: str, cron: str, times: list[str]) -> None:
    schedule = parse_schedule(cron, zone_name)
    noon_before = datetime.fromisoformat(f"{day} 12:01").replace(tzinfo=schedule.zone) - timedelta(days=1)
    slots = itertools.islice(schedule.list_slots(noon_before), 40)
    local = [each.astimezone(schedule.zone) for each in slots]
    assert [f"{each:%H:%M}" for each in local if f"{each:%Y-%m-%d}" == day] == times


def test_hours_that_are_named_run_once_where_the_clock_repeats_them() -> None:
    schedule = parse_schedule("*/30 23 * * *", "America/Santiago")
    begin = datetime(2026, 4, 4, 12, tzinfo=UTC)
    slots = list(itertools.islice(schedule.list_slots(begin), 3))
    assert [f"{each.astimezone(schedule.zone):%d %H:%M %z}" for each in slots] == [
        "04 23:00 -0300",
        "04 23:30 -0300",
        "05 23:00 -0400",
    ]
