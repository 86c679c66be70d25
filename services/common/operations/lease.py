"""An operation under a worker's lease: its state in memory, and what is persisted of it."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

from services.common.core.clock import now
from services.common.core.errors import UnavailableError
from services.common.core.log import get_logger
from services.common.core.telemetry.metrics import count_ended
from services.common.operations.model import Change, ClaimedOperation, Step, StepResult, Workflow, dump_state
from services.common.operations.store import LEASE_S, LogLine, SqlOperationStore

log = get_logger()

CANCELLED = "cancelled by request"


class ReleasedError(Exception):
    """The operation waits; any worker may take it up after `delay` seconds."""

    def __init__(self, delay: float) -> None:
        super().__init__(delay)
        self.delay = delay


class EndRequestedError(Exception):
    """The operation shall go no further: it was cancelled, or its time is up."""


class LeasedOperation:
    """An operation under this worker's lease; every write fails with LeaseLostError when another has it."""

    def __init__(
        self,
        store: SqlOperationStore,
        workflow: Workflow[Any],
        *,
        operation: ClaimedOperation,
        steps: tuple[Step[Any], ...],
        state: Any,
    ) -> None:
        self.store = store
        self.workflow = workflow
        self.operation = operation
        self.steps = steps
        self.state = state
        self.is_cancelled = operation.cancel_requested

    def find_end(self, step: Step[Any]) -> str | None:
        """Return the reason why the operation must not go on with a step, or None."""
        # Half done, such a step leaves what nobody could undo: the request is honoured before the next one.
        if not step.cancellable:
            return None
        if self.is_cancelled:
            return CANCELLED
        if self.is_overdue:
            return self.describe_overdue(step, self.operation.waiting_for)
        return None

    @property
    def is_overdue(self) -> bool:
        """Whether the operation's time is up."""
        return now() - self.operation.started_at > self.limit

    @property
    def limit(self) -> timedelta:
        """Time after the first step, after which the operation fails: its own, or that of its workflow."""
        own = self.workflow.timeout_of(self.state) if self.workflow.timeout_of else 0.0
        return timedelta(seconds=own or self.workflow.timeout_s)

    def describe_overdue(self, step: Step[Any], waiting_for: str) -> str:
        """Return the error of an operation whose time is up."""
        why = f"; it waited for: {waiting_for}" if waiting_for else ""
        return f"{step.description}: it took longer than {self.limit.total_seconds() / 3600:.1f} hours{why}"

    async def keep_while(self, work: Awaitable[Any], *, step: Step[Any] | None) -> Any:
        """Return the result of `work` and renew the lease meanwhile. Without a step only a lost lease stops it.

        Raises:
            EndRequestedError: the operation shall not go on with `step`.
            LeaseLostError: another worker has it.
        """
        # The lease is renewed beside the work, not between its awaits: one call to Proxmox may outlast a lease.
        task = asyncio.ensure_future(work)
        keeper = asyncio.create_task(self._keep_lease(step))
        try:
            await asyncio.wait({task, keeper}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            keeper.result()
            raise EndRequestedError
        finally:
            # Without a lease the work must stop at once, since its successor may be running already.
            for part in (task, keeper):
                part.cancel()
            await asyncio.gather(task, keeper, return_exceptions=True)

    async def _keep_lease(self, step: Step[Any] | None) -> None:
        while True:
            await asyncio.sleep(LEASE_S / 4)
            try:
                self.is_cancelled = await self.store.renew(self.operation)
            except UnavailableError as error:
                # A database that is away for a moment takes no lease from anybody; the next renewal decides.
                log.warning("lease_not_renewed", operation_id=self.operation.id, error=error.message)
                continue
            if step is not None and self.find_end(step) is not None:
                return

    async def checkpoint(self, position: int, result: Any, *, undone: bool = False) -> None:
        """Write a step's end down, with its state and changes."""
        outcome = result if isinstance(result, StepResult) else StepResult(result)
        self.state = outcome.state
        step = self.steps[position]
        values: dict[str, Any] = {"state": dump_state(self.state), "waiting_for": ""}
        if undone:
            values |= {"status": "undoing", "step_index": position}
        else:
            values |= {"step_index": position + 1, "progress": self.progress_at(position, 1.0)}
        self.is_cancelled = await self.store.update_step(
            self.operation,
            position,
            step={"status": "undone", "finished_at": now()}
            if undone
            else {"status": "done", "finished_at": now(), "message": ""},
            values=values,
            changes=outcome.changes,
            line=LogLine("info", f"Undone: {step.description}", step.name) if undone else None,
        )

    async def follow_state(self, position: int) -> int:
        """Have the steps that the state of now needs after a step ended; return the position of the next one."""
        names = [step.name for step in self.steps]
        if self.workflow.choose_steps(self.state, recorded=names) == self.steps:
            return position + 1
        ended = dataclasses.replace(self.operation, step_index=position + 1)
        self.operation, self.steps = await self.store.align(ended, self.workflow, state=self.state)
        return self.operation.step_index

    async def skip_undo(self, position: int, why: str, *, line: LogLine) -> None:
        """Write down that a step was not undone and will not be."""
        values = {"step_index": position, "waiting_for": ""}
        self.operation = dataclasses.replace(self.operation, step_index=position)
        await self.store.update_step(
            self.operation, position, step={"status": "failed", "message": why}, values=values, line=line
        )

    async def release(
        self,
        position: int,
        step: dict[str, Any],
        *,
        values: dict[str, Any],
        delay: float,
        line: LogLine | None = None,
    ) -> None:
        """Let the operation go for `delay` seconds.

        Raises:
            ReleasedError: always, when that is written down.
        """
        # The lease ends in the same transaction, so that no worker waits for it to expire.
        free = {"not_before": now() + timedelta(seconds=delay), "lease_until": None}
        await self.store.update_step(
            self.operation, position, step=step, values={**values, **free}, line=line
        )
        raise ReleasedError(delay)

    async def begin_undo(self, position: int, error: str) -> None:
        """Write down that what was done is taken back, and why."""
        values = {"status": "undoing", "error": error, "step_index": position}
        await self.store.update(self.operation, values)
        self.operation = dataclasses.replace(
            self.operation, status="undoing", error=error, step_index=position
        )

    async def finish(self, status: str, error: str, *, changes: tuple[Change, ...]) -> None:
        """Write the operation's end down, with its changes."""
        values = {
            "status": status,
            "error": error,
            "finished_at": now(),
            "lease_until": None,
            "waiting_for": "",
            **({"progress": 100} if status == "succeeded" else {}),
        }
        await self.store.update(self.operation, values, changes=changes)
        count_ended(self.operation.kind, status)
        log.info(
            "operation_finished", operation_id=self.operation.id, kind=self.operation.kind, status=status
        )

    def progress_at(self, position: int, fraction: float) -> int:
        """Percent of the whole when a step is done to a fraction."""
        weights = [step.weight for step in self.steps]
        total = sum(weights) or 1.0
        done = sum(weights[:position]) + weights[position] * fraction
        return int(100 * done / total)


class StepContext:
    """An operation as one of its steps sees it; see `model.Context`."""

    def __init__(self, leased: LeasedOperation, position: int) -> None:
        self._leased = leased
        self._position = position

    @property
    def operation(self) -> ClaimedOperation:
        """See `Context.operation`."""
        return self._leased.operation

    @property
    def is_cancelled(self) -> bool:
        """See `Context.is_cancelled`."""
        # An undo cannot be cancelled itself; what the caller asks is whether a cancellation caused it.
        if self.operation.status == "undoing":
            return self.operation.error == CANCELLED
        return self._leased.is_cancelled

    async def log(self, message: str, *, level: str = "info") -> None:
        """See `Context.log`."""
        step = self._leased.steps[self._position].name
        await self._leased.store.write_line(self.operation, LogLine(level, message, step))

    async def save(self, state: Any, *changes: Change) -> None:
        """See `Context.save`."""
        self._leased.state = state
        await self._leased.store.update(self.operation, {"state": dump_state(state)}, changes=changes)

    async def note_upid(self, upid: str) -> None:
        """See `Context.note_upid`."""
        if upid:
            await self._leased.store.note_upid(self.operation, self._position, upid=upid)

    async def list_upids(self) -> list[str]:
        """See `Context.list_upids`."""
        return await self._leased.store.list_upids(self.operation)

    async def progress(self, fraction: float, *, message: str = "") -> None:
        """See `Context.progress`."""
        # A fraction from sizes that were estimated may exceed the whole.
        percent = self._leased.progress_at(self._position, min(max(fraction, 0.0), 1.0))
        step = {"message": message} if message else {"status": "running"}
        await self._leased.store.update_step(
            self.operation, self._position, step=step, values={"progress": percent}
        )
