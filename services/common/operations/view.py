"""An operation as it is shown: its progress, its steps and their results."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class OperationStep:
    """One step of an operation."""

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
    """One long operation on an app; `status` is also dead, when a person is needed."""

    id: str
    app_id: str
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

    @property
    def step(self) -> OperationStep | None:
        """The step under way."""
        return self.steps[self.step_index] if self.step_index < len(self.steps) else None
