"""Progress and expected duration of operations, for people who wait for them.

Proxmox prints nothing while it copies a container, so the time that passes is compared with the last run.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.common.operations.model import Operation

# Most of their time is one task of Proxmox that copies and shows no progress.
COPYING = frozenset(
    {"backup", "restore", "clone_app", "restore_beside", "migrate_app", "upgrade_app", "rollback_app"}
)
_MOST = 95  # percent that an estimate reaches: the end is what the operation says
_LONG_S = 60  # from then on the message says how long it has taken


@dataclass(frozen=True)
class Pace:
    """Progress and time of an operation.

    Attributes:
        progress: 0-100.
        determinate: whether `progress` says how far it is; else only time passes.
        elapsed_s: seconds since it began, as of its last report.
        expected_s: seconds that the app's last operation of its kind took; None when there was none.
    """

    progress: int
    determinate: bool
    elapsed_s: int
    expected_s: int | None = None
    copies: bool = False

    def describe(self, description: str) -> str:
        """Describe what the operation does, with the time that it takes where that is long."""
        if not self.copies or self.elapsed_s < _LONG_S:
            return description
        so_far = f"{description or 'It runs'}: {_minutes(self.elapsed_s)} so far"
        if self.expected_s:
            return f"{so_far}; the last time it took {_minutes(self.expected_s)}"
        return f"{so_far}; how long it takes is not known"


def measure_pace(operation: Operation) -> Pace:
    """Return progress and time of an operation under way."""
    began = operation.started_at or operation.created_at
    elapsed_s = max(0, int((operation.updated_at - began).total_seconds()))
    copies, expected_s = operation.kind in COPYING, operation.expected_s
    progress = operation.progress
    if copies and expected_s:
        progress = max(progress, min(_MOST, elapsed_s * 100 // expected_s))
    if copies and elapsed_s:
        progress = max(progress, 1)  # it has begun, although nothing says how far it is
    return Pace(progress, not copies or bool(expected_s), elapsed_s, expected_s, copies)


def _minutes(seconds: int) -> str:
    hours, minutes = divmod(max(1, round(seconds / 60)), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
