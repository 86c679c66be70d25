"""Policies of backups: when which apps are backed up, how, and which of the archives stay."""

from __future__ import annotations

from dataclasses import astuple, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache

from services.backups.domain.archive_checks import VerifyFrequency
from services.backups.domain.entities import BackupOrder
from services.backups.domain.errors import PolicyInvalidError, ScheduleInvalidError
from services.backups.domain.retention import Retention
from services.backups.domain.schedules import Schedule, parse_schedule
from services.clients.apps.values import AppHold
from services.common.core.errors import Violation

MAX_POLICIES = 100  # read at every look for due runs, each with its apps

_parse = lru_cache(maxsize=2 * MAX_POLICIES)(parse_schedule)


class AppliesTo(StrEnum):
    """Kind of selection of the apps of a policy."""

    APPS = "apps"
    OWNERS = "owners"
    ALL = "all"


class RestoreTesting(StrEnum):
    """Choice of the backups of a policy that are tested by restoring them."""

    NEVER = "never"
    WEEKLY = "weekly"
    EACH = "each"


@dataclass(frozen=True, kw_only=True)
class PolicyScope:
    """Selection of the apps of a policy.

    Attributes:
        app_ids: with `apps`.
        owner_ids: ids of users, with `owners`.
        excluded_app_ids: apps that it is not for, whatever else selects them.
        new_apps: it is also for every app that was created after this was set.
    """

    applies_to: AppliesTo = AppliesTo.APPS
    app_ids: tuple[str, ...] = ()
    owner_ids: tuple[int, ...] = ()
    excluded_app_ids: tuple[str, ...] = ()
    new_apps: bool = False

    def selects(self, app: AppHold, *, new_since: datetime | None) -> bool:
        """Whether an app is selected; `new_since` is when `new_apps` was set."""
        # First, so that nothing selects an excluded app again.
        if app.app_id in self.excluded_app_ids:
            return False
        # Apps of before have no time of creation in releases without it: they are not new.
        is_new = new_since is not None and app.created_at is not None and app.created_at >= new_since
        if self.new_apps and is_new:
            return True
        match self.applies_to:
            case AppliesTo.ALL:
                return True
            case AppliesTo.OWNERS:
                return app.owner_id in self.owner_ids
        return app.app_id in self.app_ids


@dataclass(frozen=True, kw_only=True)
class PolicySettings:
    """Settings of a policy that a person chooses.

    Attributes:
        schedule: five-field cron, or hourly, daily, weekly; as it was written.
        time_zone: IANA name; of the schedule and of the periods of the retention.
        window_minutes: the runs of the apps are spread over this time.
        jitter_minutes: each run begins up to so much later.
        order: mode, compression and storage of each backup.
        second_storage: where another archive is made after each backup; empty: nowhere.

    Raises:
        ScheduleInvalidError: the schedule or its zone is not valid.
    """

    name: str
    schedule: str
    time_zone: str
    window_minutes: int
    jitter_minutes: int = 0
    order: BackupOrder
    second_storage: str = ""
    retention: Retention
    test_restore: RestoreTesting = RestoreTesting.NEVER
    verify: VerifyFrequency = VerifyFrequency.NEVER
    scope: PolicyScope = field(default_factory=PolicyScope)
    enabled: bool = True

    def __post_init__(self) -> None:
        # Settings with a wrong schedule do not exist: nothing has to check it again.
        self.parse_schedule()

    def parse_schedule(self) -> Schedule:
        """Return the parsed schedule."""
        window, jitter = timedelta(minutes=self.window_minutes), timedelta(minutes=self.jitter_minutes)
        return _parse(self.schedule, self.time_zone, window=window, jitter=jitter)

    def runs_as(self, other: PolicySettings) -> bool:
        """Whether both have the same slots, so that a change of one to the other misses none."""
        times = (self.schedule, self.time_zone, self.enabled)
        return times == (other.schedule, other.time_zone, other.enabled)

    def asks_no_more_than(self, other: PolicySettings) -> bool:
        """Whether nothing is to be done that `other` does not do: only names, spread, mode or tests differ, or it is paused."""
        wanted = (
            self.schedule,
            self.time_zone,
            self.order.storage,
            self.second_storage,
            self.retention,
            self.scope,
        )
        had = (
            other.schedule, other.time_zone, other.order.storage, other.second_storage, other.retention, other.scope
        )  # fmt: skip
        return wanted == had and (other.enabled or not self.enabled)

    @property
    def most_kept(self) -> int:
        """The most backups of an app that the retention keeps."""
        return sum(astuple(self.retention))


@dataclass(frozen=True, kw_only=True)
class BackupPolicy:
    """A stored policy.

    Attributes:
        owner_id: the user whose policy it is, for own apps alone; None: the administrators'.
        applies_since: slots before it have no run: the policy was made, enabled, or had its times changed then.
        new_apps_since: when `new_apps` was set; None: it is not.
    """

    id: int
    settings: PolicySettings
    owner_id: int | None = None
    applies_since: datetime
    new_apps_since: datetime | None = None
    created_at: datetime
    updated_at: datetime

    def covers(self, app: AppHold) -> bool:
        """Whether it backs an app up."""
        # An app that changed hands leaves the policies of its former owner at once.
        if self.owner_id is not None and app.owner_id != self.owner_id:
            return False
        return self.settings.scope.selects(app, new_since=self.new_apps_since)


@dataclass(frozen=True, kw_only=True)
class PolicyRun:
    """Standing of an app under a policy.

    Attributes:
        began_at: when the policy began to apply to the app.
        last_slot: the newest slot whose backup was begun; None before the first.
        waiting_for: what holds the run up that is due; empty: nothing.
    """

    began_at: datetime
    last_slot: datetime | None = None
    waiting_for: str = ""

    def find_start(self, policy: BackupPolicy) -> datetime:
        """Return the time after which slots are due."""
        return max(policy.applies_since, self.began_at, self.last_slot or self.began_at)


def check_spread(settings: PolicySettings) -> None:
    """Refuse a window and jitter by which a run could begin after the next one is due.

    Raises:
        ScheduleInvalidError: naming the shortest time between two runs.
    """
    minutes = int(settings.parse_schedule().find_shortest_interval().total_seconds() // 60)
    spread = settings.window_minutes + settings.jitter_minutes
    if spread > minutes:
        name = "window_minutes" if settings.window_minutes > minutes else "jitter_minutes"
        problem = (
            f"window and jitter are {spread} minutes together, and two runs can be {minutes} minutes apart; "
            f"at most {minutes} minutes are possible"
        )
        raise ScheduleInvalidError(f"{name}: {problem}", violations=[Violation(name, problem)])


def check_scope(scope: PolicyScope) -> None:
    """Refuse a selection whose parts contradict each other, or that selects nothing.

    Raises:
        PolicyInvalidError: at the field.
    """
    is_for_apps, is_for_owners = scope.applies_to is AppliesTo.APPS, scope.applies_to is AppliesTo.OWNERS
    if scope.app_ids and not is_for_apps:
        raise refuse_policy(
            "app_ids",
            f"apps are named, and the policy applies to {scope.applies_to.value}; set applies_to to apps",
        )
    if scope.owner_ids and not is_for_owners:
        raise refuse_policy(
            "owner_ids",
            f"users are named, and the policy applies to {scope.applies_to.value}; set applies_to to owners",
        )
    if is_for_apps and not scope.app_ids and not scope.new_apps:
        raise refuse_policy(
            "app_ids",
            "a policy needs at least one app; name the ids of apps, or set applies_to to owners or all",
        )
    if is_for_owners and not scope.owner_ids:
        raise refuse_policy("owner_ids", "the policy applies to owners and names none; name the ids of users")
    if both := sorted({*scope.app_ids} & {*scope.excluded_app_ids}):
        raise refuse_policy(
            "excluded_app_ids", f"{both[0]!r} is in app_ids as well; take it off one of the lists"
        )


def refuse_policy(field_name: str, problem: str) -> PolicyInvalidError:
    """Build the refusal of a policy for one field."""
    return PolicyInvalidError(f"{field_name}: {problem}", violations=[Violation(field_name, problem)])
