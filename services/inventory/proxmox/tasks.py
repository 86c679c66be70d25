"""Progress of tasks, read from their status and logs."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from services.inventory.domain.errors import (
    HostUnreachableError,
    ProxmoxRefusedError,
    TaskNotFoundError,
    TaskStalledError,
)
from services.inventory.domain.lock_texts import names_lock
from services.inventory.domain.proxmox_api import ProxmoxApi
from services.inventory.domain.task_pace import choose_delay
from services.inventory.proxmox.task_log import (
    BackupJob,
    explain_failure,
    find_end,
    find_failed_growth,
    parse_backup_job,
)

# Starting and stopping take seconds, or minutes for a shutdown that is waited for; a task of these kinds that is silent
# for longer hangs in the kernel or in a hook. All other kinds copy, download or delete data: they print nothing for
# hours, and `status: running` is their sign of life.
_BRIEF_KINDS = frozenset({"vzstart", "vzstop", "vzshutdown", "vzreboot", "vzsuspend", "vzresume"})
BRIEF_STALL_S = 900  # a shutdown may wait for a database of a guest for ten minutes
_LOG_S = 2.0  # between two reads of the log of a running task: most polls cost one request, for the status
HEARTBEAT_S = 5.0  # between two progresses of a silent task, so that watchers see that it still runs
# After the last line of a task's log, which Proxmox follows with the end of its process within milliseconds; less than
# the 30 s for which a cleanup waits for a task that it has stopped.
_LOST_END_S = 10.0
_LOG_PAGE = 500  # lines
# Of one task's log at once: 50,000 lines, more than a restore with a warning per file prints.
_MOST_PAGES = 100
_LINE = 2000  # characters; a page of them fits into one message of gRPC
_PASSING = re.compile(
    r"got timeout|can't lock file|unable to (acquire|get) lock|is locked \(|timed out|no route to host"
    r"|connection (refused|reset)|unexpected status",
    re.IGNORECASE,
)
_PERCENT = re.compile(r"(\d{1,3})(?:\.\d+)?%")


@dataclass(frozen=True)
class Progress:
    """Lines that a task printed since the last poll, and its end; without lines it still runs.

    Attributes:
        job: the archive that vzdump makes, as soon as its log names it.
        reason: why a task failed: the ERROR lines of its log, or its exit status.
        result: the volume id of the archive that vzdump makes.
    """

    lines: tuple[str, ...] = ()
    percent: int | None = None
    done: bool = False
    succeeded: bool = False
    exit_status: str = ""
    job: BackupJob | None = None
    reason: str = ""
    result: str = ""

    @property
    def is_locked_out(self) -> bool:
        """Whether the task failed because of a lock or a missing quorum, so that another one succeeds later."""
        return self.done and not self.succeeded and names_lock(self.reason or self.exit_status)

    @property
    def may_pass(self) -> bool:
        """Whether the task failed for a reason that passes: a lock that was in use, a lost connection."""
        return self.done and not self.succeeded and bool(_PASSING.search(self.reason or self.exit_status))


async def watch_task(
    client: ProxmoxApi, node: str, *, upid: str, stall_s: int = 0
) -> AsyncIterator[Progress]:
    """Follow a task: new lines while it runs, a heartbeat while it prints none, then one last progress with `done`.

    Args:
        client: of the host.
        node: where the task runs.
        upid: names the task; empty: there was nothing to do.
        stall_s: seconds of silence after which it counts as failed; 0: `BRIEF_STALL_S` for what takes seconds,
            no limit for what copies.

    Raises:
        TaskNotFoundError: Proxmox knows no such task.
        TaskStalledError: it prints nothing new for `stall_s` seconds.
        HostUnreachableError: the host is silent; asking again later gives the same end.
    """
    # What was done already has no task; callers follow it all the same.
    if not upid:
        yield Progress(done=True, succeeded=True, exit_status="OK")
        return
    loop = asyncio.get_running_loop()
    began = loop.time()
    kind = read_kind(upid)
    delay: float | None = None
    printed = shown = read = began
    patience = stall_s or (BRIEF_STALL_S if kind in _BRIEF_KINDS else None)
    log = _Log(client, node=node, upid=upid)
    while True:
        status = await _read_status(client, node, upid=upid)
        ended = status.get("status") != "running"
        lines = []
        if ended or (delay is not None and loop.time() - read >= _LOG_S):
            # The status is read before the log: all lines of a task that has ended are there.
            lines, read = await log.read(to_end=ended), loop.time()
        if ended:
            if delay is not None:  # one that had ended before the first look says nothing of its length
                client.task_times.note(kind, loop.time() - began)
            yield _end(status, upid, log=log, lines=lines)
            return
        if lines:
            printed = loop.time()
        elif loop.time() - printed > _LOST_END_S and (exit_status := find_end(log.tail)):
            # A daemon of Proxmox that missed the end of its process says `running` until it is restarted.
            yield _end({"exitstatus": exit_status}, upid, log=log, lines=[])
            return
        if lines or loop.time() - shown >= HEARTBEAT_S:
            shown = loop.time()
            yield Progress(tuple(lines), percent=_find_percent(lines), job=log.job)
        if patience is not None and loop.time() - printed > patience:
            raise TaskStalledError(f"the task {upid} printed nothing new for {patience} s")
        elapsed = loop.time() - began
        delay = choose_delay(delay, elapsed=elapsed, expected=client.task_times.expect(kind))
        await asyncio.sleep(delay)


def _end(status: dict[str, Any], upid: str, *, log: _Log, lines: list[str]) -> Progress:
    exit_status = str(status.get("exitstatus") or "unknown")[:_LINE]
    succeeded = exit_status == "OK" or exit_status.startswith("WARNINGS")
    reason = "" if succeeded else explain_failure(log.tail, exit_status)
    if succeeded and read_kind(upid) == "resize" and (reason := find_failed_growth(log.tail)):
        succeeded = False  # Proxmox only warns in the log
    return Progress(
        tuple(lines[-_LOG_PAGE:]),
        done=True,
        succeeded=succeeded,
        exit_status=exit_status,
        job=log.job,
        reason=reason,
    )


class _Log:
    """The log of a task, read on from where it was read last; `tail` is the end of what was read."""

    def __init__(self, client: ProxmoxApi, *, node: str, upid: str) -> None:
        self._client = client
        self._path = f"/nodes/{node}/tasks/{upid}/log"
        self._is_dump = read_kind(upid) == "vzdump"
        self._seen = 0
        self.tail: list[str] = []
        self.job: BackupJob | None = None

    async def read(self, *, to_end: bool) -> list[str]:
        """Return the new lines: a page of them, or all when the task has ended."""
        found: list[str] = []
        for _ in range(_MOST_PAGES if to_end else 1):
            lines = await _read_lines(self._client, self._path, start=self._seen)
            self._seen += len(lines)
            found += lines
            if len(lines) < _LOG_PAGE:
                break
        if self._is_dump:
            self.job = parse_backup_job(found, before=self.job)
        self.tail = [*self.tail, *found][-_LOG_PAGE:]
        return found


def read_kind(upid: str) -> str:
    """Return what a task does, of its id `UPID:node:pid:pstart:starttime:kind:…`: vzdump."""
    parts = upid.split(":")
    return parts[5] if len(parts) > 5 else ""


async def read_first_lines(client: ProxmoxApi, node: str, *, upid: str) -> list[str]:
    """Return the first page of a task's log; empty when the host does not answer."""
    return await _read_lines(client, f"/nodes/{node}/tasks/{upid}/log", start=0)


async def has_ended(client: ProxmoxApi, node: str, *, upid: str, wait_s: float) -> bool:
    """Wait up to `wait_s` seconds for a task to end, and return whether it did, successful or not."""
    try:
        async with asyncio.timeout(wait_s):
            async for progress in watch_task(client, node, upid=upid):
                if progress.done:
                    return True
    except TimeoutError:
        return False
    return False


async def stop_task(client: ProxmoxApi, node: str, *, upid: str) -> None:
    """Stop a task; one that has ended, or that Proxmox does not know any more, is left alone."""
    if not upid:
        return
    try:
        await client.delete(f"/nodes/{node}/tasks/{upid}")
    except ProxmoxRefusedError as error:
        if not _is_unknown(error):
            raise


async def _read_status(client: ProxmoxApi, node: str, *, upid: str) -> dict[str, Any]:
    try:
        status: dict[str, Any] = await client.get(f"/nodes/{node}/tasks/{upid}/status")
    except ProxmoxRefusedError as error:
        if _is_unknown(error):
            raise TaskNotFoundError(f"{client.access.name} knows no task {upid}") from error
        raise
    return status


def _is_unknown(error: ProxmoxRefusedError) -> bool:
    return "no such task" in error.message or error.metadata.get("status") == "400"


async def _read_lines(client: ProxmoxApi, path: str, *, start: int) -> list[str]:
    try:
        found = await client.get(path, start=start, limit=_LOG_PAGE)
    except HostUnreachableError:
        return []
    lines = [str(one.get("t") or "")[:_LINE] for one in found]
    return (
        []
        if lines in (["no content"], [""]) or (lines and lines[0].startswith("unable to open file"))
        else lines
    )


def _find_percent(lines: Sequence[str]) -> int | None:
    for line in reversed(lines):
        if match := _PERCENT.search(line):
            return min(int(match.group(1)), 100)
    return None
