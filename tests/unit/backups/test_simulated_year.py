"""A year of daily and hourly policies of 50 apps, over two changes of the clock, with outages and failures."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from typing import Any, cast
from zlib import crc32
from zoneinfo import ZoneInfo

from services.backups.domain.entities import Backup, BackupOrder, BackupStatus
from services.backups.domain.policies import BackupPolicy, PolicyScope, PolicySettings
from services.backups.domain.retention import Retention
from services.backups.usecases.context import BackupDependencies
from services.backups.usecases.scheduled_backups import (
    announce_overdue_backups,
    remove_superfluous_backups,
    start_due_backups,
)
from tests.fakes.apps import APP, FakeApps
from tests.fakes.auth import FakeUsers
from tests.fakes.containers import FakeContainers
from tests.fakes.policies import FakePolicies
from tests.unit.backups.year_model import Made, list_daily_slots, list_hourly_slots, list_runs, prune

ROME, NEW_YORK = ZoneInfo("Europe/Rome"), ZoneInfo("America/New_York")
BEGIN = datetime(2026, 9, 1, tzinfo=UTC)  # both changes of both zones are within the year
DAYS = 365
TICK = timedelta(minutes=24)  # shorter than half of the shortest interval
PRUNED = timedelta(hours=12)
FAILED_DAYS = timedelta(days=7)
DAILY, HOURLY = 1, 2
KEEP: dict[int, dict[str, int]] = {
    DAILY: {"last": 2, "daily": 7, "weekly": 4, "monthly": 6, "yearly": 1},
    HOURLY: {"last": 1, "hourly": 12, "daily": 5, "weekly": 2},
}
ZONES = {DAILY: ROME, HOURLY: NEW_YORK}


@dataclass
class Year:
    """What happens in a year, chosen at random: times without the platform, busy apps, failures, protections."""

    seed: int
    days: int = DAYS
    apps: FakeApps = field(default_factory=FakeApps)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        names = [f"daily-{number:08x}" for number in range(44)] + [
            f"hourly-{number:08x}" for number in range(6)
        ]
        self.apps.apps = {
            name: replace(APP, app_id=name, vmid=9000 + number, node=f"pve{number}")
            for number, name in enumerate(names)
        }
        self.outages = [self._choose_time(hours) for hours in (2, 5, 9, 13, 26, 50, 9 * 24)]
        self.busy = {name: [self._choose_time(hours) for hours in (1, 3, 7, 15)] for name in names}
        self.failures = {name: [self._choose_time(hours) for hours in (1, 26, 50)] for name in names}
        self.ticks = [
            moment
            for number in range(self.days * 60)
            if not self._is_within(moment := BEGIN + number * TICK, self.outages)
        ]

        self.prune_ticks = [moment for moment in self.ticks if (moment - BEGIN) % PRUNED == timedelta(0)]
        self.locks: dict[datetime, dict[str, str]] = defaultdict(dict)
        for name, times in self.busy.items():
            for begin, end in times:
                for number in range(-(-(begin - BEGIN) // TICK), -(-(end - BEGIN) // TICK)):
                    self.locks[BEGIN + number * TICK][name] = "f" * 32

    def _choose_time(self, hours: int) -> tuple[datetime, datetime]:
        begin = BEGIN + timedelta(minutes=self.random.randrange(self.days * 1440))
        return begin, begin + timedelta(hours=hours)

    @staticmethod
    def _is_within(moment: datetime, times: list[tuple[datetime, datetime]]) -> bool:
        return any(begin <= moment < end for begin, end in times)

    def is_busy(self, app_id: str, moment: datetime) -> bool:
        """Whether another operation works on an app."""
        return self._is_within(moment, self.busy[app_id])

    def fails(self, app_id: str, moment: datetime) -> bool:
        """Whether a backup of an app that begins now fails."""
        return self._is_within(moment, self.failures[app_id])

    def is_protected(self, app_id: str, moment: datetime) -> bool:
        """Whether somebody protects the backup that was begun at a time."""
        return crc32(f"{self.seed} {app_id} {moment:%d %H}".encode()) % 37 == 0


def make_policy(policy_id: int, name: str, *, schedule: str, app_ids: tuple[str, ...]) -> BackupPolicy:
    settings = PolicySettings(
        name=name,
        schedule=schedule,
        time_zone=str(ZONES[policy_id]),
        window_minutes=15,
        jitter_minutes=10,
        order=BackupOrder(),
        retention=Retention(**KEEP[policy_id]),
        scope=PolicyScope(app_ids=app_ids),
    )
    return BackupPolicy(
        id=policy_id, settings=settings, applies_since=BEGIN, created_at=BEGIN, updated_at=BEGIN
    )


@dataclass
class Removals:
    """Checks of every removal: nothing protected, of others, or the last good one of its app."""

    count: int = 0
    store: FakePolicies | None = None

    def check(self, backup: Backup) -> None:
        assert self.store is not None
        assert not backup.protected, backup
        assert backup.policy_id is not None, f"{backup} is not the policy's"
        assert backup.status in {BackupStatus.COMPLETED, BackupStatus.FAILED}
        newest = self.store.find_newest(backup.policy_id, backup.app_id)
        assert newest is not None
        assert newest.id > backup.id, f"{backup} is the last good one"
        self.count += 1


async def simulate(year: Year) -> tuple[FakePolicies, Removals]:
    removals = Removals()
    store = FakePolicies(year.apps, fails=year.fails, on_removal=removals.check)
    removals.store = store
    daily = tuple(name for name in year.apps.apps if name.startswith("daily"))
    hourly = tuple(name for name in year.apps.apps if name.startswith("hourly"))
    store.policies[DAILY] = make_policy(DAILY, "nightly", schedule="30 2 * * *", app_ids=daily)
    store.policies[HOURLY] = make_policy(HOURLY, "hourly", schedule="hourly", app_ids=hourly)
    fake = cast("Any", store)
    dependencies = BackupDependencies(
        fake,
        year.apps,
        FakeContainers(),
        policies=fake,
        users=FakeUsers(),
        tests=fake,
        storages=fake,
        checks=fake,
        settings=fake,
    )
    store.clock = BEGIN - TICK
    await start_due_backups(dependencies, now=store.clock)
    for app_id in daily[:5]:
        store.complete(store.add(app_id))  # a person's, which no policy removes
    prune_times = set(year.prune_ticks)
    for moment in year.ticks:
        store.clock = moment
        year.apps.locks = dict(year.locks.get(moment, {}))
        known = store.last_id
        if await start_due_backups(dependencies, now=moment):
            protect(store, year, after=known)
        if moment in prune_times:
            await remove_superfluous_backups(dependencies, now=moment)
            await announce_overdue_backups(dependencies, now=moment)
    return store, removals


def protect(store: FakePolicies, year: Year, *, after: int) -> None:
    for backup_id in range(after + 1, store.last_id + 1):
        if one := store.backups.get(backup_id):  # else its app was busy
            protected = year.is_protected(one.app_id, one.created_at)
            store.backups[backup_id] = replace(one, protected=protected)


def predict(year: Year, app_id: str, policy: BackupPolicy) -> list[Made]:
    """Predict the backups of an app that exist at the end of the year."""
    if policy.id == DAILY:
        slots = list_daily_slots(date(2026, 8, 31), DAYS + 3, time(2, 30), ROME)
    else:
        slots = list_hourly_slots(BEGIN - timedelta(hours=1), (DAYS + 1) * 24)
    slots = [slot for slot in slots if slot > BEGIN]
    schedule = policy.settings.parse_schedule()
    runs = list_runs(
        slots,
        year.ticks,
        find_delay=lambda slot: schedule.find_delay(app_id, slot),
        is_free=lambda tick: not year.is_busy(app_id, tick),
    )
    made: list[Made] = []
    pending = iter([*runs, datetime.max.replace(tzinfo=UTC)])
    following = next(pending)
    for tick in year.prune_ticks:
        while following <= tick:
            made.append(
                Made(following, not year.fails(app_id, following), year.is_protected(app_id, following))
            )
            following = next(pending)
        made = drop_failures(prune(made, KEEP[policy.id], ZONES[policy.id]), tick)
    while following < BEGIN + timedelta(days=DAYS):
        made.append(Made(following, not year.fails(app_id, following), year.is_protected(app_id, following)))
        following = next(pending)
    return made


def drop_failures(made: list[Made], moment: datetime) -> list[Made]:
    if not made or not made[-1].is_good:
        return made
    return [one for one in made if one.is_good or one.is_protected or moment - one.made_at < FAILED_DAYS]


async def test_a_year_leaves_exactly_the_expected_backups() -> None:
    year = Year(1)
    store, removals = await simulate(year)
    found: dict[tuple[str, int], list[tuple[datetime, bool]]] = defaultdict(list)
    for one in store.backups.values():
        if one.policy_id is not None:
            found[one.app_id, one.policy_id].append((one.created_at, one.status is BackupStatus.COMPLETED))
    for policy in store.policies.values():
        for app_id in policy.settings.scope.app_ids:
            expected = [(one.made_at, one.is_good) for one in predict(year, app_id, policy)]
            assert found[app_id, policy.id] == expected, app_id
    by_persons = [one for one in store.backups.values() if one.policy_id is None]
    assert len(by_persons) == 5
    assert removals.count > 40_000, "the year removed what the policies made"


async def test_outages_are_announced_once_for_each_missed_slot() -> None:
    store, _ = await simulate(Year(3, days=60))
    assert store.overdue
    for announced in store.overdue.values():
        assert [key for key, _ in groupby(announced)] == announced == sorted(set(announced))


def test_the_model_knows_the_changes_of_the_clock() -> None:
    spring = list_daily_slots(date(2027, 3, 27), 3, time(2, 30), ROME)
    assert [each.isoformat()[5:16] for each in spring] == ["03-27T01:30", "03-28T01:00", "03-29T00:30"]
    autumn = list_daily_slots(date(2026, 10, 24), 3, time(2, 30), ROME)
    assert [each.isoformat()[5:16] for each in autumn] == ["10-24T00:30", "10-25T00:30", "10-26T01:30"]
