"""Restore tests: their outcome, when they run, and what a restored app is compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from services.clients.apps.values import AppHold, AppProbeTarget
from services.clients.inventory.restore_tests import Contents, DockerContainer

MAX_LOG_LINES = 100  # of a test; a test writes about 15, and a step that waits none
MAX_LINE = 500  # characters of a line or message
_RUNNING = frozenset({"running", "restarting"})


class RestoreTestStatus(StrEnum):
    """Standing of the newest restore test of a backup."""

    UNTESTED = "untested"
    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"


class RestoreTestStep(StrEnum):
    """Step at which a restore test can fail."""

    RESTORE = "restore"
    START = "start"
    CONTAINERS = "containers"
    PROBE = "probe"
    COMPARE = "compare"


@dataclass(frozen=True, kw_only=True)
class RestoreTest:
    """The newest restore test of a backup.

    Attributes:
        failed_step: empty unless it failed.
        message: why it failed, or why it could not be carried out.
        node: that it ran on.
        log: lines, each beginning with the seconds since the start.
    """

    status: RestoreTestStatus = RestoreTestStatus.UNTESTED
    failed_step: str = ""
    message: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    node: str = ""
    log: tuple[str, ...] = ()

    @property
    def is_running(self) -> bool:
        """Whether it is under way, and reads the archive."""
        return self.status is RestoreTestStatus.RUNNING

    @property
    def duration_s(self) -> int | None:
        """Seconds that it took; None while it runs, and of a backup that was never tested."""
        if self.started_at is None or self.ended_at is None:
            return None
        return max(0, int((self.ended_at - self.started_at).total_seconds()))


@dataclass(frozen=True, kw_only=True)
class RecordedApp:
    """An app as it was when its backup was made, for the comparison with what is restored.

    Attributes:
        probe: None when nothing can be probed.
        contents: None when it did not run, or did not say what is in it.
    """

    runtime: str = ""
    probe: AppProbeTarget | None = None
    contents: Contents | None = None

    @classmethod
    def of_app(cls, app: AppHold, contents: Contents | None = None) -> RecordedApp:
        """Record an app with its contents."""
        return cls(runtime=app.runtime, probe=app.probe, contents=contents)

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | None) -> RecordedApp | None:
        """Return what `to_json` gave; None for a backup of which nothing was recorded."""
        if not data:
            return None
        probe, contents = data.get("probe"), data.get("contents")
        return cls(
            runtime=str(data.get("runtime") or ""),
            probe=AppProbeTarget(**probe) if probe else None,
            contents=_parse_contents(contents) if contents else None,
        )


@dataclass(frozen=True, kw_only=True)
class RestoreTestOptions:
    """Options of restore tests that an administrator sets.

    Attributes:
        bridge: isolated bridge of the nodes; empty: test containers have no network.
        storage: for the volumes; empty: the one of the node with most free space.
        hours: within which policies have backups tested, in the policy's time zone.
        limit: after which a test is broken off.
    """

    bridge: str = ""
    storage: str = ""
    hours: QuietHours = field(default_factory=lambda: QuietHours(time(0), time(6)))
    limit: timedelta = timedelta(minutes=50)


@dataclass(frozen=True)
class QuietHours:
    """A span of the day, which may go over midnight; equal ends: the whole day."""

    begin: time
    end: time

    def __str__(self) -> str:
        return f"{self.begin:%H:%M}-{self.end:%H:%M}"

    def contain(self, moment: datetime, zone: ZoneInfo) -> bool:
        """Whether a moment is within the span, by the clock of a time zone."""
        local = moment.astimezone(zone).time()
        if self.begin == self.end:
            return True
        if self.begin < self.end:
            return self.begin <= local < self.end
        # Over midnight.
        return local >= self.begin or local < self.end


def parse_hours(text: str) -> QuietHours:
    """Parse `22:00-06:00`.

    Raises:
        ValueError: it is no span of hours and minutes.
    """
    begin, dash, end = text.partition("-")
    try:
        hours = QuietHours(time.fromisoformat(begin.strip()), time.fromisoformat(end.strip()))
    except ValueError:
        dash = ""
    if not dash:
        raise ValueError(f"must be a span of the day, such as 22:00-06:00, and not {text[:40]!r}")
    return hours


def find_down(found: Contents, recorded: Contents | None) -> list[str]:
    """Describe the containers of Docker that should run and do not.

    Those that ran when the backup was made are to run. Where nothing was recorded, none may have failed.
    """
    # A container without Docker has nothing to compare here; its port is probed.
    if not found.has_docker and not (recorded and recorded.has_docker):
        return []
    if not found.docker_answers:
        return ["Docker does not answer"]
    states = {one.name: one for one in found.containers}
    if recorded is None:
        # Without a record nobody knows what should run; what ended well may be a job.
        bad = (one for one in found.containers if one.state != "running" and not _ended_well(one))
        return [_describe(one) for one in bad]
    wanted = (one.name for one in recorded.containers if one.state in _RUNNING)
    down = [(name, states.get(name)) for name in wanted]
    return [
        f"container {name} is missing" if one is None else _describe(one)
        for name, one in down
        if one is None or one.state != "running"
    ]


def find_differences(found: Contents, recorded: Contents, *, left_out: Sequence[str] = ()) -> list[str]:
    """Describe what was there when the backup was made and is not in the restored container.

    Args:
        found: what is in the restored container.
        recorded: what was there.
        left_out: descriptions of volumes that are not in the archive, which are not compared.
    """
    images = set(found.images)
    lost = {
        one.image: one.name
        for one in recorded.containers
        if one.image_id in recorded.images and one.image_id not in images
    }
    problems = [f"image {image} of container {name} is missing" for image, name in sorted(lost.items())]
    now = dict(found.folders)
    for name, entries in recorded.folders:
        # A volume that was empty may be absent: Docker makes it when it is needed.
        if not entries or any(f"({name}," in one for one in left_out):
            continue
        if name not in now:
            problems.append(f"volume {name} is missing; it had {entries} entries")
        elif not now[name]:
            problems.append(f"volume {name} is empty; it had {entries} entries")
    return problems


def _ended_well(one: DockerContainer) -> bool:
    return one.state == "exited" and one.exit_code == 0


def _describe(one: DockerContainer) -> str:
    code = f" with code {one.exit_code}" if one.state == "exited" else ""
    return f"container {one.name} is {one.state}{code}"


def _parse_contents(data: Mapping[str, Any]) -> Contents:
    return Contents(
        has_docker=bool(data.get("has_docker")),
        docker_answers=bool(data.get("docker_answers")),
        containers=tuple(DockerContainer(**one) for one in data.get("containers", ())),
        images=tuple(data.get("images", ())),
        folders=tuple((str(name), int(entries)) for name, entries in data.get("folders", ())),
    )
