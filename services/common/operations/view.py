"""An operation as it is shown: its progress, its steps and their results."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class OperationStep:
    """One step of an operation; `position` counts from 0."""

    position: int
    name: str
    description: str
    status: str
    attempts: int
    started_at: datetime | None
    finished_at: datetime | None
    message: str
    upids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One long operation; `status` is also dead, when a person is needed.

    Attributes:
        subject: what it works on, such as the id of an app.
        expected_s: seconds that the last one of its kind took, where that was looked up.
    """

    id: str
    subject: str
    kind: str
    status: str
    progress: int
    step_index: int
    step_count: int
    attempt: int
    error: str
    waiting_for: str
    worker: str
    traceparent: str
    cancel_requested: bool
    delegated: bool
    requested_by: int | None
    created_at: datetime
    started_at: datetime | None
    updated_at: datetime
    finished_at: datetime | None
    steps: tuple[OperationStep, ...] = ()
    expected_s: int | None = None

    @property
    def step(self) -> OperationStep | None:
        """The step under way; of an operation that another service carries out, also when it reports not every step."""
        return next((step for step in self.steps if step.position == self.step_index), None)


NOT_COLUMNS = frozenset({"steps", "expected_s"})  # of Operation: read otherwise, or from elsewhere
