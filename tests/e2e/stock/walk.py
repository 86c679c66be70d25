"""The walk that every client takes, for clients in Python: sign in, deploy, watch, back up, restore, delete."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

DELAY_S = 0.1
ATTEMPTS = 600  # a minute
# What each walk reports, whatever its language.
STEPS = ["signed in", "deployed", "running", "backup completed", "restored", "deleted"]


@dataclass(frozen=True)
class Event:
    """An event of an app; `status` and `message` are empty in log lines."""

    id: str
    status: str = ""
    message: str = ""
    is_removal: bool = False


class Platform(Protocol):
    """What a client does for the walk, with the means of its library."""

    def sign_in(self, username: str, password: str) -> None: ...

    def deploy(self, hostname: str) -> str: ...

    def watch(self, app_id: str, after: str) -> Generator[Event, None, None]:
        """Yield the events of an app after one of them; "0" is before the first."""
        ...

    def back_up(self, app_id: str) -> int: ...

    def read_backup_status(self, app_id: str, backup_id: int) -> str: ...

    def restore(self, app_id: str, backup_id: int) -> None: ...

    def remove(self, app_id: str) -> None: ...


def _follow(platform: Platform, app_id: str, *, after: str, statuses: tuple[str, ...]) -> str:
    """Watch until the app has had these statuses, in this order; return the id of the last event."""
    wanted, last = list(statuses), after
    with closing(platform.watch(app_id, after)) as events:
        for event in events:
            last = event.id or last
            assert event.status != "error", f"{app_id}: {event.message}"
            if wanted[0] == ("removed" if event.is_removal else event.status):
                wanted.pop(0)
            if not wanted:
                return last
    raise AssertionError(f"the events of {app_id} ended before {wanted[0]}")


def _wait_for_backup(platform: Platform, app_id: str, backup_id: int) -> str:
    """Return the status of a backup that is not being made any more; the app is free a moment before."""
    for _ in range(ATTEMPTS):
        if (status := platform.read_backup_status(app_id, backup_id)) != "creating":
            break
        time.sleep(DELAY_S)
    return status


def walk(platform: Platform, *, username: str, password: str, hostname: str) -> Iterator[str]:
    """Take an app through its life; yields each step that was taken."""
    platform.sign_in(username, password)
    yield "signed in"
    app_id = platform.deploy(hostname)
    yield "deployed"
    last = _follow(platform, app_id, after="0", statuses=("deploying", "running"))
    yield "running"
    backup_id = platform.back_up(app_id)
    last = _follow(platform, app_id, after=last, statuses=("backing_up", "running"))
    yield f"backup {_wait_for_backup(platform, app_id, backup_id)}"
    platform.restore(app_id, backup_id)
    last = _follow(platform, app_id, after=last, statuses=("restoring", "running"))
    yield "restored"
    platform.remove(app_id)
    _follow(platform, app_id, after=last, statuses=("removing", "removed"))
    yield "deleted"
