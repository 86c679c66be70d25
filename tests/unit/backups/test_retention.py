"""Retention against worked examples, recorded answers of Proxmox's own marking code, and properties."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.backups.domain.errors import RetentionInvalidError
from services.backups.domain.retention import (
    Mark,
    Retention,
    StoredArchive,
    mark_archives,
    mark_removable,
)

ROME = ZoneInfo("Europe/Rome")
# One answer a line: p protected, k keep, r remove, in the order of the times. Produced by prune_mark_backup_group of
# pve-storage under Perl, with TZ set to the zone.
RECORDED = [
    json.loads(line) for line in (Path(__file__).parent / "prunebackups.jsonl").read_text().splitlines()
]
NAMES = {"p": Mark.PROTECTED, "k": Mark.KEEP, "r": Mark.REMOVE}


def archives_at(times: Sequence[datetime], *, protected: Sequence[datetime] = ()) -> list[StoredArchive]:
    return [
        StoredArchive(id=number, made_at=time.astimezone(UTC), is_protected=time in protected)
        for number, time in enumerate(times)
    ]


def keep_times(
    times: Sequence[datetime],
    retention: Retention,
    *,
    zone: ZoneInfo = ROME,
    protected: Sequence[datetime] = (),
) -> list[datetime]:
    marks = mark_archives(archives_at(times, protected=protected), retention, zone=zone)
    return [time for number, time in enumerate(times) if marks[number] is Mark.KEEP]


def rome(
    month: int, day: int, hour: int = 1, minute: int = 0, *, year: int = 2026, fold: int = 0
) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=ROME, fold=fold)


def test_a_week_that_the_last_ones_cover_does_not_count() -> None:
    nightly = [rome(11, day) for day in range(20, 30)]
    found = keep_times(nightly, Retention(last=3, weekly=2))
    assert [time.day for time in found] == [22, 27, 28, 29]


@pytest.mark.parametrize("last", [0, 1])
def test_a_day_that_the_last_one_covers_does_not_count(last: int) -> None:
    times = [rome(11, 28, hour) for hour in (1, 9, 13, 21)] + [rome(11, 29, hour) for hour in (1, 9, 13)]
    two_days = Retention(last=last, daily=2)
    found = keep_times(times, two_days)
    assert found == [rome(11, 28, 21), rome(11, 29, 13)]


def test_one_day_more_is_taken_from_the_day_before() -> None:
    times = [rome(11, 27, 5), rome(11, 28, 21), rome(11, 29, 13)]
    assert keep_times(times, Retention(last=1, daily=2)) == times


def test_protected_archives_are_neither_counted_nor_cover_their_period() -> None:
    times = [rome(11, day) for day in range(24, 29)]
    found = keep_times(times, Retention(last=2), protected=times[3:])
    assert [time.day for time in found] == [25, 26]


def test_months_without_archives_do_not_count() -> None:
    times = [rome(1, 10), rome(2, 14), rome(7, 3), rome(11, 28), rome(11, 29)]
    found = keep_times(times, Retention(daily=1, monthly=3))
    assert found == [rome(1, 10), rome(2, 14), rome(7, 3), rome(11, 29)]


def test_an_hour_that_the_clock_repeats_is_one_period() -> None:
    first = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)  # 02:00 CEST
    times = [first + timedelta(minutes=30 * number) for number in range(5)]  # 02:00 CEST to 03:00 CET
    hours = Retention(hourly=3)
    assert keep_times(times, hours) == [times[3], times[4]]
    assert keep_times(times, hours, zone=ZoneInfo("UTC")) == [times[1], times[3], times[4]]


def test_weeks_belong_to_their_iso_year() -> None:
    times = [rome(12, day) for day in (27, 28, 31)] + [rome(1, day, year=2027) for day in (1, 3, 4)]
    found = keep_times(times, Retention(weekly=2, yearly=2))
    assert found == [times[0], times[4], times[5]]


def test_days_are_those_of_the_zone() -> None:
    times = [rome(11, 28, 0, 30), rome(11, 28, 23, 30), rome(11, 29, 0, 30)]
    days = Retention(daily=2)
    assert keep_times(times, days) == times[1:]
    assert keep_times(times, days, zone=ZoneInfo("UTC")) == [times[0], times[2]]


@pytest.mark.parametrize("case", RECORDED, ids=lambda case: case["zone"])
def test_marks_are_those_that_proxmox_answered(case: dict[str, object]) -> None:
    times, marks = case["times"], case["marks"]
    assert isinstance(times, list)
    assert isinstance(marks, str)
    assert isinstance(case["keep"], dict)
    archives = [
        StoredArchive(id=number, made_at=datetime.fromtimestamp(time, UTC), is_protected=mark == "p")
        for number, (time, mark) in enumerate(zip(times, marks, strict=True))
    ]
    found = mark_archives(archives, Retention(**case["keep"]), zone=ZoneInfo(str(case["zone"])))
    assert [found[each.id] for each in archives] == [NAMES[mark] for mark in marks]


RETENTIONS = st.builds(
    Retention,
    last=st.integers(1, 3),
    hourly=st.integers(0, 4),
    daily=st.integers(0, 4),
    weekly=st.integers(0, 3),
    monthly=st.integers(0, 3),
    yearly=st.integers(0, 2),
)
TIMES = st.integers(0, 730 * 86400).map(
    lambda seconds: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)
ARCHIVES = st.lists(st.tuples(TIMES, st.booleans(), st.booleans()), max_size=30).map(
    lambda rows: [
        StoredArchive(id=number, made_at=time, is_protected=protected, is_tested=tested)
        for number, (time, protected, tested) in enumerate(rows)
    ]
)


@given(ARCHIVES, RETENTIONS)
def test_nothing_protected_nor_the_newest_good_one_is_removed(
    archives: list[StoredArchive], retention: Retention
) -> None:
    marks = mark_removable(archives, retention, zone=ROME)
    assert marks.keys() == {each.id for each in archives}
    assert all(marks[each.id] is Mark.PROTECTED for each in archives if each.is_protected)
    for group in (archives, [each for each in archives if each.is_tested]):
        if group:
            newest = max(group, key=lambda each: (each.made_at, each.id))
            assert marks[newest.id] is not Mark.REMOVE


@given(ARCHIVES, RETENTIONS)
def test_a_second_run_removes_nothing_more(archives: list[StoredArchive], retention: Retention) -> None:
    marks = mark_archives(archives, retention, zone=ROME)
    left = [each for each in archives if marks[each.id] is not Mark.REMOVE]
    assert Mark.REMOVE not in mark_archives(left, retention, zone=ROME).values()


def test_the_newest_tested_one_stays_beside_newer_untested_ones() -> None:
    tested = StoredArchive(id=1, made_at=rome(11, 1), is_tested=True)
    newer = [StoredArchive(id=day, made_at=rome(11, day)) for day in range(2, 5)]
    found = mark_removable([tested, *newer], Retention(last=1), zone=ROME)
    assert {each for each, mark in found.items() if mark is Mark.KEEP} == {1, 4}


def test_a_policy_that_keeps_nothing_is_refused() -> None:
    with pytest.raises(RetentionInvalidError, match="would keep nothing"):
        Retention()


@pytest.mark.parametrize("count", [-1, 1001])
def test_a_number_out_of_range_is_refused_with_its_field(count: int) -> None:
    with pytest.raises(RetentionInvalidError, match=f"keep_weekly: {count} is not between 0 and 1000"):
        Retention(last=1, weekly=count)
