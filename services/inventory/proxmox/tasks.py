"""Following tasks to their end."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from services.inventory.domain.errors import (
    HostUnreachableError,
    ProxmoxRefusedError,
    TaskNotFoundError,
    TaskStalledError,
)
from services.inventory.proxmox.client import ProxmoxClient

DEFAULT_STALL_S = 900
_FIRST_POLL_S = 0.02
_LONGEST_POLL_S = 1.0
_POLL_SHARE = 0.15  # of the time that a task has taken so far: what its end may be noticed too late
# A creation and a start take about a second each on a real server: ten polls each, noticed 0.1 s late on average.
_BRIEF_POLL_S = 0.16
_LOG_S = 2.0  # between two looks at the log of a running task: most polls cost one request, for the status
_LOG_PAGE = 500
_LINE = 2000  # characters; a page of them fits into one message of gRPC
_PASSING = re.compile(
    r"got timeout|can't lock file|unable to (acquire|get) lock|is locked \(|timed out|no route to host"
    r"|connection (refused|reset)|unexpected status",
    re.IGNORECASE,
)
_ARCHIVE = re.compile(r"creating (?:vzdump|Proxmox Backup Server) archive '([^']+)'")
_PERCENT = re.compile(r"(\d{1,3})(?:\.\d+)?%")


@dataclass(frozen=True)
class Progress:
    """What a task said since the last look, and its end."""

    lines: tuple[str, ...] = ()
    percent: int | None = None
    done: bool = False
    succeeded: bool = False
    exit_status: str = ""
    result: str = ""

    @property
    def may_pass(self) -> bool:
        """Whether the task failed for a reason that passes: a lock that was not to be had, a lost connection."""
        return self.done and not self.succeeded and bool(_PASSING.search(self.exit_status))


async def watch_task(
    client: ProxmoxClient, node: str, upid: str, *, stall_s: int = 0
) -> AsyncIterator[Progress]:
    """Follow a task: new lines while it runs, then one last progress with `done`.

    Raises:
        TaskNotFoundError: Proxmox knows no such task.
        TaskStalledError: it says nothing new for `stall_s` seconds.
        HostUnreachableError: the host is silent; asking again later gives the same end.
    """
    if not upid:
        yield Progress(done=True, succeeded=True, exit_status="OK")
        return
    loop = asyncio.get_running_loop()
    began = loop.time()
    seen, delay, heard, archive = 0, _FIRST_POLL_S, began, ""
    patience, read = stall_s or DEFAULT_STALL_S, began
    while True:
        status = await _read_status(client, node, upid)
        ended = status.get("status") != "running"
        lines: list[str] = []
        if ended or (delay > _FIRST_POLL_S and loop.time() - read >= _LOG_S):
            lines, read = await _read_lines(client, node, upid, start=seen), loop.time()
        seen += len(lines)
        archive = _find_archive(lines) or archive
        if ended:
            exit_status = str(status.get("exitstatus") or "unknown")[:_LINE]
            succeeded = exit_status == "OK" or exit_status.startswith("WARNINGS")
            yield Progress(
                tuple(lines),
                done=True,
                succeeded=succeeded,
                exit_status=exit_status,
                result=archive if succeeded else "",
            )
            return
        if lines:
            heard = loop.time()
            yield Progress(tuple(lines), percent=_find_percent(lines))
        if loop.time() - heard > patience:
            raise TaskStalledError(f"the task {upid} said nothing new for {patience} s")
        await asyncio.sleep(delay)
        delay = _lengthen(delay, elapsed=loop.time() - began)


def _lengthen(delay: float, *, elapsed: float) -> float:
    """The delay until the next poll: doubled up to `_BRIEF_POLL_S`, then a share of what the task has taken so far."""
    return min(max(min(delay * 2, _BRIEF_POLL_S), elapsed * _POLL_SHARE), _LONGEST_POLL_S)


async def has_ended(client: ProxmoxClient, node: str, upid: str, *, wait_s: float) -> bool:
    """Wait up to `wait_s` seconds for a task to end; says whether it did, however it ended."""
    try:
        async with asyncio.timeout(wait_s):
            async for progress in watch_task(client, node, upid):
                if progress.done:
                    return True
    except TimeoutError:
        return False
    return False


async def stop_task(client: ProxmoxClient, node: str, upid: str) -> None:
    """Stop a task; one that has ended, or that Proxmox does not know any more, is left alone."""
    if not upid:
        return
    try:
        await client.delete(f"/nodes/{node}/tasks/{upid}")
    except ProxmoxRefusedError as error:
        if not _is_unknown(error):
            raise


async def _read_status(client: ProxmoxClient, node: str, upid: str) -> dict[str, Any]:
    try:
        status: dict[str, Any] = await client.get(f"/nodes/{node}/tasks/{upid}/status")
    except ProxmoxRefusedError as error:
        if _is_unknown(error):
            raise TaskNotFoundError(f"{client.access.name} knows no task {upid}") from error
        raise
    return status


def _is_unknown(error: ProxmoxRefusedError) -> bool:
    return "no such task" in error.message or error.metadata.get("status") == "400"


async def _read_lines(client: ProxmoxClient, node: str, upid: str, *, start: int) -> list[str]:
    try:
        found = await client.get(f"/nodes/{node}/tasks/{upid}/log", start=start, limit=_LOG_PAGE)
    except HostUnreachableError:
        return []
    lines = [str(one.get("t") or "")[:_LINE] for one in found]
    return (
        []
        if lines in (["no content"], [""]) or (lines and lines[0].startswith("unable to open file"))
        else lines
    )


def _find_archive(lines: list[str]) -> str:
    """The archive's file, as vzdump's log names it."""
    for line in lines:
        if match := _ARCHIVE.search(line):
            return match.group(1)
    return ""


def _find_percent(lines: list[str]) -> int | None:
    for line in reversed(lines):
        if match := _PERCENT.search(line):
            return min(int(match.group(1)), 100)
    return None
