"""Checks of archives: how a node reads one, and what its answer means."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from services.inventory.domain.access import CommandOutput

_LOCK = "/run/lock/proximity-archive-check"  # of the node, so that replicas and platforms share it
_LOCKED = 75  # EX_TEMPFAIL of sysexits.h, given to flock
_TIMED_OUT = 124  # of timeout(1)
_NOT_FOUND = frozenset({126, 127})  # of a shell, flock and timeout: no such program
_ENDED = frozenset({-1, 130, 137, 143})  # by a signal, or with the connection
_MOST_TEXT = 300  # characters of a reason
# Faults of the storage or the node, which say nothing about the archive.
_PASSING = (
    "Stale file handle",
    "Transport endpoint is not connected",
    "Host is down",
    "Connection timed out",
    "No such file or directory",
    "Permission denied",
    "Cannot exec",
)
_NOISE = ("Error is not recoverable", "Exiting with failure status", "Child returned status")


class ArchiveState(StrEnum):
    """Outcome of a check."""

    INTACT = "intact"
    BROKEN = "broken"
    NOT_CHECKED = "not_checked"


@dataclass(frozen=True, kw_only=True)
class ArchiveVerdict:
    """Outcome of a check of an archive, the reason unless it is intact, and the node that read it."""

    state: ArchiveState
    reason: str = ""
    node: str = ""


def render_check(path: str, *, limit_s: int) -> list[str]:
    """Build the command that reads an archive to its end and prints nothing of it.

    tar decompresses by the program that the archive needs, which compares the checksums of its frames; it reads behind the
    end of the archive too. The lowest priorities leave processor and disk to the guests.
    """
    lock = ["flock", "--nonblock", "--conflict-exit-code", str(_LOCKED), _LOCK]
    pace = ["timeout", str(limit_s), "nice", "-n", "19", "ionice", "-c", "3"]
    return [*lock, *pace, "tar", "--index-file=/dev/null", "-tf", path]


def is_locked(done: CommandOutput) -> bool:
    """Whether the node reads another archive."""
    return done.exit_code == _LOCKED


def judge(done: CommandOutput, *, node: str, limit_s: int) -> ArchiveVerdict:
    """Tell from the end of the command whether an archive is whole."""
    lines = [line.strip() for line in done.text.splitlines() if line.strip()]
    reason = "; ".join(line for line in lines if not any(word in line for word in _NOISE))[:_MOST_TEXT]
    state = ArchiveState.BROKEN
    if done.exit_code == 0:
        return ArchiveVerdict(state=ArchiveState.INTACT, node=node)
    if done.exit_code == _TIMED_OUT:
        state, reason = ArchiveState.NOT_CHECKED, f"it was not read within {limit_s} s"
    elif done.exit_code in _ENDED:
        state, reason = (
            ArchiveState.NOT_CHECKED,
            f"reading it was ended on node {node}: {reason or 'by a signal'}",
        )
    elif done.exit_code in _NOT_FOUND or any(word in done.text for word in _PASSING):
        state = ArchiveState.NOT_CHECKED
    return ArchiveVerdict(state=state, reason=reason or f"tar ended with status {done.exit_code}", node=node)
