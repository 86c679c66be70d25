"""Schedules of backups: refusals, changes of the clock, missed and overdue runs."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.backups.domain.errors import ScheduleInvalidError
from services.backups.domain.schedules import (
    PRESETS,
    Schedule,
    find_due_slot,
    find_overdue_slot,
    parse_schedule,
)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def local_slots(schedule: Schedule, after: str, count: int) -> list[str]:
    slots = itertools.islice(schedule.list_slots(utc(after)), count)
    return [slot.astimezone(schedule.zone).strftime("%m-%d %H:%M %Z") for slot in slots]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("0 0 2 * * *", "has 6 fields instead of five .*seconds are not supported"),
        ("0 2 * *", "has 4 fields"),
        ("", "has 0 fields"),
        ("@daily", "has 1 field .*or use hourly, daily, weekly"),
        ("0 2 30 2 *", "is not a cron expression whose dates exist: the day of month has a value"),
        ("0 2 31 4,6 *", "dates exist"),
        ("60 2 * * *", "the minute has a value"),
        ("0 24 * * *", "the hour has a value"),
        ("0 2 * 13 *", "the month has a value"),
        ("0 2 * * 9", "the day of week has a value"),
        ("0 2-1 * * *", "the hour has a value"),
        ("*/0 2 * * *", "the minute has a value"),
        ("R 2 * * *", "the minute has a value"),
        ("H 2 * * *", "the minute has a value"),
        ("mon..fri 22", "has 2 fields"),
        ("* * * * *", "is 1 min; at least 15 min are required"),
        ("0,5 3 * * *", "is 5 min"),
        ("0 3 * * 5#6", "the day of week has a value"),
        (f"{'0,' * 60}0 3 * * *", "at most 100"),
    ],
)
def test_what_is_no_schedule_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ScheduleInvalidError, match=problem) as refused:
        parse_schedule(text, "Europe/Rome")
    assert refused.value.violations[0].field == "schedule"


@pytest.mark.parametrize(
    "zone", ["", "Rome", "+01:00", "UTC+1", "Europe", "../etc/passwd", "europe/rome", "localtime"]
)
def test_what_is_no_zone_is_refused(zone: str) -> None:
    with pytest.raises(ScheduleInvalidError, match="is not an IANA time zone") as refused:
        parse_schedule("daily", zone)
    assert refused.value.violations[0].field == "time_zone"


@pytest.mark.parametrize("name", PRESETS)
def test_presets_run_in_the_zone(name: str) -> None:
    assert parse_schedule(name, "Asia/Kathmandu").cron == PRESETS[name]


def test_a_leap_day_is_a_date() -> None:
    assert parse_schedule("0 3 29 2 *", "UTC").find_next_slot(utc("2026-11-30")) == utc("2028-02-29 03:00")


def test_day_of_the_month_and_weekday_mean_or() -> None:
    schedule = parse_schedule("0 3 15 * mon", "UTC")
    assert local_slots(schedule, "2026-11-08 12:00", 3) == [
        "11-09 03:00 UTC",
        "11-15 03:00 UTC",
        "11-16 03:00 UTC",
    ]


def test_a_time_that_the_clock_skips_runs_after_the_gap() -> None:
    schedule = parse_schedule("30 2 * * *", "Europe/Rome")
    assert local_slots(schedule, "2027-03-27 12:00", 2) == ["03-28 03:00 CEST", "03-29 02:30 CEST"]


def test_two_times_that_the_clock_skips_run_once() -> None:
    schedule = parse_schedule("0,30 2,3 * * *", "Europe/Rome")
    assert local_slots(schedule, "2027-03-27 12:00", 3) == [
        "03-28 03:00 CEST",
        "03-28 03:30 CEST",
        "03-29 02:00 CEST",
    ]


@pytest.mark.parametrize("after", ["2026-10-24 12:00", "2026-10-25 00:15"])
def test_a_time_that_occurs_twice_runs_at_its_first_occurrence(after: str) -> None:
    schedule = parse_schedule("30 2 * * *", "Europe/Rome")
    assert local_slots(schedule, after, 2) == ["10-25 02:30 CEST", "10-26 02:30 CET"]


def test_no_slot_comes_back_in_the_repeated_hour() -> None:
    """02:15 for the second time: 02:30 of the first time is past."""
    schedule = parse_schedule("30 2 * * *", "Europe/Rome")
    assert local_slots(schedule, "2026-10-25 01:15", 1) == ["10-26 02:30 CET"]


def test_half_hours_run_through_both_hours() -> None:
    schedule = parse_schedule("*/30 * * * *", "Europe/Rome")
    assert local_slots(schedule, "2026-10-24 23:45", 5) == [
        "10-25 02:00 CEST",
        "10-25 02:30 CEST",
        "10-25 02:00 CET",
        "10-25 02:30 CET",
        "10-25 03:00 CET",
    ]


@pytest.mark.parametrize(
    ("cron", "after", "slots"),
    [
        ("*/15 0 * * *", "2026-10-03 16:00", ["10-05 00:00 +11", "10-05 00:15 +11"]),
        ("0 */8 * * *", "2026-10-03 15:00", ["10-04 08:00 +11", "10-04 16:00 +11"]),
        ("0 */8 * * *", "2026-04-04 15:30", ["04-05 08:00 +1030", "04-05 16:00 +1030"]),
        ("30 * * * *", "2026-04-04 14:00", ["04-05 01:30 +11", "04-05 01:30 +1030"]),
        ("47 * * * *", "2026-10-03 14:30", ["10-04 01:47 +1030", "10-04 02:47 +11"]),
    ],
)
def test_a_change_of_the_clock_by_half_an_hour_leaves_no_slot_out(
    cron: str, after: str, slots: list[str]
) -> None:
    assert local_slots(parse_schedule(cron, "Australia/Lord_Howe"), after, 2) == slots


@pytest.mark.parametrize("text", ["0 3 L * *", "0 3 * * 5L", "0 3 * * 5#2", "0 3 * * fri", "0 3 * jan *"])
def test_last_and_numbered_days_and_names_are_cron(text: str) -> None:
    assert parse_schedule(text, "UTC").cron == text


def test_a_day_of_the_month_that_begins_with_a_star_is_no_choice_of_its_own() -> None:
    """`*/2` and Monday: Mondays on odd days, as in Debian's cron."""
    schedule = parse_schedule("0 3 */2 * mon", "UTC")
    assert local_slots(schedule, "2026-11-01", 2) == ["11-09 03:00 UTC", "11-23 03:00 UTC"]


ZONES = st.sampled_from(["UTC", "Europe/Rome", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
CRONS = st.sampled_from(
    [*PRESETS, "*/30 * * * *", "30 2 * * *", "0,30 2,3 * * *", "15 1 1 * *", "0 */6 * * 1-5"]
)
MOMENTS = st.integers(0, 730 * 86400).map(
    lambda seconds: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)


@given(CRONS, ZONES, MOMENTS)
def test_the_next_slot_does_not_depend_on_where_the_search_began(
    cron: str, zone: str, moment: datetime
) -> None:
    schedule = parse_schedule(cron, zone)
    following = schedule.find_next_slot(moment)
    assert following > moment
    assert schedule.find_last_slot(following) == following
    last = schedule.find_last_slot(moment)
    assert last is not None
    assert last <= moment
    assert schedule.find_next_slot(last) == following


NIGHTLY = parse_schedule("0 3 * * *", "UTC", window=timedelta(minutes=15))
APP = "web-01"
OFFSET = NIGHTLY.find_offset(APP)


def due_at(now: datetime, *, after: str = "2026-11-28 03:00") -> datetime | None:
    return find_due_slot(NIGHTLY, APP, after=utc(after), now=now)


def test_apps_are_spread_over_the_window_and_keep_their_place() -> None:
    offsets = {NIGHTLY.find_offset(f"app-{number}") for number in range(50)}
    assert len(offsets) > 40
    assert all(timedelta(0) <= each < timedelta(minutes=15) for each in offsets)
    assert NIGHTLY.find_offset(APP) == OFFSET


def test_an_app_is_due_at_its_place_in_the_window() -> None:
    slot = utc("2026-11-29 03:00")
    assert due_at(slot + OFFSET - timedelta(seconds=1)) is None
    assert due_at(slot + OFFSET) == slot
    assert due_at(slot + OFFSET, after="2026-11-29 03:00") is None


def test_a_missed_run_is_made_up_within_half_of_the_interval() -> None:
    slot = utc("2026-11-29 03:00")
    assert due_at(slot + OFFSET + timedelta(hours=11)) == slot
    assert due_at(slot + OFFSET + timedelta(hours=12)) is None


def test_after_a_long_outage_the_newest_run_alone_is_made_up() -> None:
    assert due_at(utc("2026-12-10 05:00")) == utc("2026-12-10 03:00")


def test_a_backup_is_overdue_when_its_run_would_not_be_made_up() -> None:
    slot, covered = utc("2026-11-29 03:00"), utc("2026-11-28 03:01")

    def overdue_at(now: datetime) -> datetime | None:
        return find_overdue_slot(NIGHTLY, APP, covered_since=covered, now=now)

    assert overdue_at(slot + OFFSET + timedelta(hours=11)) is None
    assert overdue_at(slot + OFFSET + timedelta(hours=12)) == slot
    assert find_overdue_slot(NIGHTLY, APP, covered_since=slot, now=slot + timedelta(hours=20)) is None
    assert overdue_at(utc("2026-12-10 05:00")) == utc("2026-12-09 03:00")


def test_a_run_that_the_jitter_delays_to_the_next_slot_is_made_up_and_no_earlier_overdue() -> None:
    hourly = parse_schedule("hourly", "UTC", jitter=timedelta(minutes=60))
    day = [utc("2026-11-29") + timedelta(hours=hour) for hour in range(24 * 30)]
    slot = max(day, key=lambda each: hourly.find_delay(APP, each))  # its run begins just before the next slot
    begin = slot + hourly.find_delay(APP, slot)
    following = slot + timedelta(hours=1)
    between = max(begin, following) + timedelta(seconds=1)
    assert begin < between < following + hourly.find_delay(APP, following)
    before = slot - timedelta(hours=1)
    assert find_due_slot(hourly, APP, after=before, now=between) == slot
    assert find_overdue_slot(hourly, APP, covered_since=before, now=between) is None
    late = begin + timedelta(minutes=30)
    assert find_overdue_slot(hourly, APP, covered_since=before, now=late) == slot
    assert find_due_slot(hourly, APP, after=following, now=between) is None
