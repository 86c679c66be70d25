"""Following tasks in simulated time: a copy that prints nothing for long is no failed copy."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from services.inventory.domain.errors import TaskStalledError
from services.inventory.domain.task_pace import TaskTimes
from services.inventory.proxmox.client import ProxmoxClient
from services.inventory.proxmox.tasks import HEARTBEAT_S, Progress, watch_task

COPYING = (
    "vzdump",
    "vzrestore",
    "vzclone",
    "vzmigrate",
    "move_volume",
    "vzcreate",
    "imgdel",
    "vzdestroy",
    "resize",
)
BRIEF = ("vzstart", "vzstop", "vzshutdown", "vzreboot")


class _InstantSelector(selectors.SelectSelector):
    """A selector that never waits: the time that a loop would sleep is added to its clock."""

    elapsed = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout:
            self.elapsed += timeout
        return ready


def run_in_simulated_time(work: Callable[[], Awaitable[Any]]) -> Any:
    """Run a coroutine whose sleeps take no real time."""
    selector = _InstantSelector()
    loop = asyncio.SelectorEventLoop(selector)
    loop.time = lambda: selector.elapsed  # type: ignore[method-assign]
    try:
        return loop.run_until_complete(work())
    finally:
        loop.close()


@dataclass
class SilentProxmox:
    """A task that runs for `seconds`, and prints its lines at its beginning and at its end."""

    seconds: float
    first: list[str] = field(default_factory=list)
    last: list[str] = field(default_factory=list)
    exit_status: str = "OK"
    requests: list[str] = field(default_factory=list)
    task_times: TaskTimes = field(default_factory=TaskTimes)

    async def get(self, path: str, **params: Any) -> Any:
        self.requests.append(path.rpartition("/")[2])
        ended = asyncio.get_running_loop().time() >= self.seconds
        if path.endswith("/status"):
            return {"status": "stopped", "exitstatus": self.exit_status} if ended else {"status": "running"}
        lines = [*self.first, *(self.last if ended else ())]
        start = int(params["start"])
        return [{"n": number, "t": line} for number, line in enumerate(lines)][
            start : start + params["limit"]
        ]


def watch(proxmox: SilentProxmox, kind: str, *, stall_s: int = 0) -> list[Progress]:
    return follow(proxmox, kind, stall_s=stall_s)[0]


def follow(proxmox: SilentProxmox, kind: str, *, stall_s: int = 0) -> tuple[list[Progress], float]:
    """What a watcher of the task sees, and how late the end is seen, in seconds."""

    async def collect() -> tuple[list[Progress], float]:
        upid = f"UPID:pve1:0000A:0000B:0000C:{kind}:105:root@pam:"
        client = cast("ProxmoxClient", proxmox)
        seen = [progress async for progress in watch_task(client, "pve1", upid=upid, stall_s=stall_s)]
        return seen, asyncio.get_running_loop().time() - proxmox.seconds

    return cast("tuple[list[Progress], float]", run_in_simulated_time(collect))


@pytest.mark.parametrize("kind", COPYING)
@pytest.mark.parametrize("minutes", [25, 10 * 60])
def test_a_copy_that_prints_nothing_is_followed_to_its_end(kind: str, minutes: int) -> None:
    proxmox = SilentProxmox(minutes * 60.0, first=["creating a clone"], last=["TASK OK"])
    *running, end = watch(proxmox, kind)
    assert (end.done, end.succeeded, end.lines) == (True, True, ("TASK OK",))
    assert len(running) >= minutes * 60 / (HEARTBEAT_S + 1), "watchers see that time passes"
    assert not any(progress.done for progress in running)


@pytest.mark.parametrize("kind", BRIEF)
def test_a_start_that_is_silent_for_a_quarter_of_an_hour_has_failed(kind: str) -> None:
    with pytest.raises(TaskStalledError, match="printed nothing new for 900 s"):
        watch(SilentProxmox(25 * 60.0), kind)


def test_a_limit_on_silence_that_is_asked_for_counts() -> None:
    with pytest.raises(TaskStalledError, match="60 s"):
        watch(SilentProxmox(25 * 60.0), "vzdump", stall_s=60)


def test_most_polls_of_a_long_task_cost_one_request() -> None:
    proxmox = SilentProxmox(600.0)
    watch(proxmox, "vzclone")
    assert proxmox.requests.count("log") < proxmox.requests.count("status") * 0.6


@pytest.mark.parametrize("seconds", [0.21, 0.5, 1.13, 2.3, 8.6])
def test_the_end_of_a_task_is_seen_sooner_when_others_took_as_long(seconds: float) -> None:
    times = TaskTimes()
    first = SilentProxmox(seconds, task_times=times)
    _, late = follow(first, "vzstart")
    assert late <= max(0.16, 0.16 * seconds)
    for share in (1.0, 1.05, 0.97, 1.1, 1.02):
        again = SilentProxmox(seconds * share, task_times=times)
        _, late = follow(again, "vzstart")
        assert late <= max(0.045, 0.06 * seconds)
        assert len(again.requests) <= len(first.requests) + 4


def test_a_task_that_takes_another_time_than_those_before_is_seen_in_good_time() -> None:
    for usual, seconds in ((3.0, 0.4), (0.3, 40.0)):
        times = TaskTimes()
        times.note("vzstart", usual)
        _, late = follow(SilentProxmox(seconds, task_times=times), "vzstart")
        assert late <= max(0.25, 0.16 * seconds)


def test_the_length_of_long_tasks_is_not_remembered() -> None:
    times = TaskTimes()
    watch(SilentProxmox(600.0, task_times=times), "vzcreate")
    assert times.expect("vzcreate") is None


def test_the_archive_is_known_while_it_is_written() -> None:
    first = [
        "INFO: starting new backup job: vzdump 105 --storage nas --remove 0 --notes-template 'proximity-backup: 7a'",
        "INFO: creating vzdump archive '/mnt/nas/dump/vzdump-lxc-105-2026_11_30-06_31_46.tar.zst'",
    ]
    running = watch(SilentProxmox(1500.0, first=first), "vzdump")[0]
    assert running.job is not None
    assert running.job.volume_id == "nas:backup/vzdump-lxc-105-2026_11_30-06_31_46.tar.zst"
    assert running.job.has_mark("proximity-backup: 7a")


def test_a_failure_gives_the_error_lines_of_a_long_log() -> None:
    last = [f"tar: file {number} changed" for number in range(2000)]
    last += ["ERROR: Backup of VM 105 failed - CT is locked (snapshot)", "TASK ERROR: job errors"]
    end = watch(SilentProxmox(30.0, last=last, exit_status="job errors"), "vzdump")[-1]
    assert end.reason == "Backup of VM 105 failed - CT is locked (snapshot) (job errors)"
    assert end.may_pass, "the lock goes away"


def test_a_file_system_that_did_not_grow_is_a_failure_though_the_task_says_ok() -> None:
    last = [
        "Image resized.",
        "resize2fs 1.47.2 (1-Jan-2025)",
        "resize2fs: Permission denied to resize filesystem",
        "Failed to update the container's filesystem: command 'unshare -m' failed: exit code 1",
        "",
        "TASK OK",
    ]
    end = watch(SilentProxmox(3.0, last=last), "resize")[-1]
    assert (end.succeeded, end.exit_status) == (False, "OK")
    assert "resize2fs: Permission denied to resize filesystem" in end.reason
    assert watch(SilentProxmox(3.0, last=last), "vzstart")[-1].succeeded


@pytest.mark.parametrize(
    ("last", "succeeded", "reason"),
    [
        ("TASK OK", True, ""),
        ("TASK WARNINGS: 2", True, ""),
        ("TASK ERROR: job errors", False, "Backup of VM 105 failed - x (job errors)"),
    ],
)
def test_a_task_whose_log_has_ended_is_done_though_its_status_says_running(
    last: str, succeeded: bool, reason: str
) -> None:
    first = ["creating vzdump archive", *([] if succeeded else ["ERROR: Backup of VM 105 failed - x"]), last]
    seen, late = follow(SilentProxmox(86400.0, first=first), "vzdump")
    end = seen[-1]
    assert 86400.0 + late < 20, "a cleanup waits for 30 s"
    assert (end.done, end.succeeded, end.reason) == (True, succeeded, reason)


def test_a_line_about_a_task_within_its_log_is_no_end() -> None:
    first = ["TASK OK", "creating vzdump archive", "TASK OK is what comes last"]
    *running, end = watch(SilentProxmox(600.0, first=first, last=["TASK OK"]), "vzdump")
    assert len(running) > 100
    assert end.succeeded
