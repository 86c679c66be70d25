"""Runs workflows: checkpoints, retries, waiting, cancelling, undoing.

After each step, its state and the next position are committed together with the step's changes. A worker that dies
leaves a lease that runs out within 8 seconds; any worker then goes on at the step that was under way. A failure is
undone step by step, backwards; undoing that fails is tried again with growing delay, visible as what the operation
waits for, and given up for a person (`dead`) after 20 tries.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from services.common.clock import now
from services.common.errors import DomainError, UnavailableError
from services.common.log import get_logger
from services.common.operations.model import (
    MAX_ATTEMPTS,
    Change,
    ClaimedOperation,
    LeaseLostError,
    Step,
    StepResult,
    WaitError,
    Workflow,
    describe,
    dump_state,
    is_transient,
)
from services.common.operations.store import LEASE_S, SqlOperationStore

log = get_logger()

_SWEEP_S = 2.0
_UNDO_LIMIT = 20
_UNDO_DELAY_MAX_S = 600.0


class _CancelRequestedError(Exception):
    """The user asked for it; seen by the lease keeper."""


class Engine:
    """Runs operations of a service in this worker.

    Args:
        store: the operations.
        workflows: by kind.
        worker: name of this worker, shown with the operations it holds.
        retry_s: seconds before the first retry of a step; doubles each time.
    """

    def __init__(
        self,
        store: SqlOperationStore,
        workflows: Mapping[str, Workflow],
        worker: str,
        *,
        retry_s: float = 1.0,
    ) -> None:
        self._store = store
        self._workflows = workflows
        self._worker = worker
        self._retry_s = retry_s

    async def run_forever(self, wake: asyncio.Event, *, concurrency: int = 16) -> None:
        """Claim and run operations: when woken, when one ends, and every 2 seconds."""
        running: set[asyncio.Task[None]] = set()
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(wake.wait(), _SWEEP_S)
                wake.clear()
                while len(running) < concurrency and (operation := await self._claim()) is not None:
                    task = asyncio.create_task(self.run(operation))
                    running.add(task)
                    task.add_done_callback(running.discard)
                    task.add_done_callback(lambda _: wake.set())
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _claim(self) -> ClaimedOperation | None:
        try:
            return await self._store.claim_next(self._worker)
        except UnavailableError as error:
            log.warning("claim_failed", error=error.message)
            return None

    async def run(self, operation: ClaimedOperation) -> None:
        """Run a claimed operation to its end, or until it must wait or is lost."""
        workflow = self._workflows.get(operation.kind)
        if workflow is None:
            log.error("workflow_unknown", operation_id=operation.id, kind=operation.kind)
            await self._give_up(operation, f"this version knows no workflow {operation.kind}")
            return
        try:
            await _Run(self._store, workflow, operation, self._retry_s).run()
        except LeaseLostError:
            log.warning("lease_lost", operation_id=operation.id)
        except UnavailableError as error:  # the database: the lease runs out and somebody goes on
            log.warning("operation_interrupted", operation_id=operation.id, error=error.message)
        except Exception as error:
            log.exception("operation_broken", operation_id=operation.id, error=str(error))

    async def _give_up(self, operation: ClaimedOperation, error: str) -> None:
        with contextlib.suppress(LeaseLostError, UnavailableError):
            values = {"status": "dead", "error": error, "lease_until": None}
            await self._store.update(operation, values)


class _Run:
    """One operation in this worker's hands."""

    def __init__(
        self, store: SqlOperationStore, workflow: Workflow, operation: ClaimedOperation, retry_s: float
    ) -> None:
        self._store = store
        self._workflow = workflow
        self._operation = operation
        self._retry_s = retry_s
        self._state: Any = workflow.load_state(operation.state)
        self._cancelled = operation.cancel_requested
        self._position = operation.step_index
        self._weights = [step.weight for step in workflow.steps]

    async def run(self) -> None:
        if self._operation.status == "undoing":
            await self._undo(self._operation.error)
            return
        for position in range(self._operation.step_index, len(self._workflow.steps)):
            self._position = position
            error = await self._run_step(position, self._workflow.steps[position])
            if error is not None:
                values = {"status": "undoing", "error": error, "step_index": position}
                await self._store.update(self._operation, values)
                await self._undo(error)
                return
        changes = tuple(self._workflow.on_succeeded(self._state))
        await self._finish("succeeded", "", changes)

    async def _run_step(self, position: int, step: Step) -> str | None:
        """Run a step to its end; None, or why it failed for good."""
        attempt = 0
        while True:
            if self._cancelled:
                return "cancelled by request"
            attempt += 1
            await self._store.update_step(
                self._operation,
                position,
                {"status": "running"},
                values={
                    "status": "running",
                    "step_index": position,
                    "attempt": attempt,
                    "waiting_for": "",
                    "progress": self._progress_at(position, 0.0),
                },
                line=("info", step.description, step.name) if attempt == 1 else None,
                count_attempt=True,
            )
            try:
                result = await self._guarded(step.run(self._state, _StepContext(self, position)))
            except _CancelRequestedError:
                return "cancelled by request"
            except WaitError as wait:
                attempt -= 1
                await self._wait(position, wait)
            except (DomainError, TimeoutError, ConnectionError) as error:
                if not is_transient(error) or attempt >= MAX_ATTEMPTS:
                    await self._note_failure(position, step, error)
                    return f"{step.description}: {describe(error)}"
                await self._back_off(position, step, error, attempt)
            except LeaseLostError:
                raise
            except Exception as error:
                log.exception(
                    "step_broken", operation_id=self._operation.id, step=step.name, error=str(error)
                )
                await self._note_failure(position, step, error)
                return f"{step.description}: internal error ({type(error).__name__})"
            else:
                outcome = result if isinstance(result, StepResult) else StepResult(result)
                await self._checkpoint(position, outcome)
                return None

    async def _guarded(self, work: Any) -> Any:
        """Run a step's coroutine while the lease is kept; cancel it when that is lost or a cancellation is asked."""
        task = asyncio.ensure_future(work)
        keeper = asyncio.create_task(self._keep_lease())
        try:
            await asyncio.wait({task, keeper}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            keeper.result()
            raise _CancelRequestedError
        finally:
            for part in (task, keeper):
                part.cancel()
            await asyncio.gather(task, keeper, return_exceptions=True)

    async def _keep_lease(self) -> None:
        """Renew until a cancellation is asked for."""
        while True:
            await asyncio.sleep(LEASE_S / 4)
            try:
                self._cancelled = await self._store.renew(self._operation)
            except UnavailableError as error:
                log.warning("lease_not_renewed", operation_id=self._operation.id, error=error.message)
                continue
            if self._cancelled:
                return

    async def _checkpoint(self, position: int, outcome: StepResult) -> None:
        self._state = outcome.state
        await self._store.update_step(
            self._operation,
            position,
            {"status": "done", "finished_at": now(), "message": ""},
            values={
                "state": dump_state(self._state),
                "step_index": position + 1,
                "waiting_for": "",
                "progress": self._progress_at(position, 1.0),
            },
            changes=outcome.changes,
        )

    async def _wait(self, position: int, wait: WaitError) -> None:
        values = {"status": "waiting", "waiting_for": wait.reason}
        await self._store.update_step(
            self._operation, position, {"status": "waiting", "message": wait.reason}, values=values
        )
        await self._guarded_sleep(wait.delay)

    async def _back_off(self, position: int, step: Step, error: BaseException, attempt: int) -> None:
        delay = self._retry_s * 2 ** (attempt - 1) * random.uniform(0.75, 1.25)  # noqa: S311 - jitter
        line = f"{step.description} failed (attempt {attempt} of {MAX_ATTEMPTS}): {describe(error)}"
        await self._store.update_step(
            self._operation, position, {"message": describe(error)}, line=("warning", line, step.name)
        )
        await self._guarded_sleep(delay)

    async def _guarded_sleep(self, delay: float) -> None:
        with contextlib.suppress(_CancelRequestedError):
            await self._guarded(asyncio.sleep(delay))

    async def _note_failure(self, position: int, step: Step, error: BaseException) -> None:
        message = describe(error)
        await self._store.update_step(
            self._operation,
            position,
            {"status": "failed", "message": message, "finished_at": now()},
            line=("error", f"{step.description} failed: {message}", step.name),
        )

    async def _undo(self, error: str) -> None:
        """Take back what was done, last step first, then finish as failed or cancelled."""
        start = min(self._operation.step_index, len(self._workflow.steps) - 1)
        for position in range(max(start, self._position, 0), -1, -1):
            self._position = position
            step = self._workflow.steps[position]
            if step.undo is None:
                continue
            try:
                result = await self._with_lease(step.undo(self._state, _StepContext(self, position)))
            except LeaseLostError:
                raise
            except Exception as problem:  # noqa: BLE001 - whatever it is, cleaning up is tried again
                await self._postpone_undo(position, step, problem)
                return
            outcome = result if isinstance(result, StepResult) else StepResult(result)
            self._state = outcome.state
            await self._store.update_step(
                self._operation,
                position,
                {"status": "undone", "finished_at": now()},
                values={
                    "state": dump_state(self._state),
                    "step_index": position,
                    "status": "undoing",
                    "waiting_for": "",
                },
                changes=outcome.changes,
                line=("info", f"Undone: {step.description}", step.name),
            )
        cancelled = self._cancelled or error == "cancelled by request"
        changes = tuple(self._workflow.on_failed(self._state, error, cancelled))
        await self._finish("cancelled" if cancelled else "failed", error, changes)

    async def _with_lease(self, work: Any) -> Any:
        """Like `_guarded`, but a cancellation does not stop it: undoing goes on."""
        task = asyncio.ensure_future(work)
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=LEASE_S / 4)
                if not task.done():
                    with contextlib.suppress(UnavailableError):
                        await self._store.renew(self._operation)
            return task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _postpone_undo(self, position: int, step: Step, problem: BaseException) -> None:
        tries = self._operation.undo_attempts + 1
        reason = f"cleaning up ({step.description}) failed: {describe(problem)}"
        log.warning(
            "undo_failed",
            operation_id=self._operation.id,
            step=step.name,
            tries=tries,
            error=describe(problem),
        )
        delay = min(self._retry_s * 2**tries, _UNDO_DELAY_MAX_S)
        values: dict[str, Any] = {
            "status": "undoing" if tries < _UNDO_LIMIT else "dead",
            "undo_attempts": tries,
            "waiting_for": reason,
            "not_before": now() + timedelta(seconds=delay),
            "lease_until": None,
            "step_index": position,
        }
        await self._store.update_step(
            self._operation,
            position,
            {"status": "undoing", "message": describe(problem)},
            values=values,
            line=("error", reason, step.name),
        )

    async def _finish(self, status: str, error: str, changes: tuple[Change, ...]) -> None:
        current = now()
        values = {
            "status": status,
            "error": error,
            "finished_at": current,
            "lease_until": None,
            "waiting_for": "",
            **({"progress": 100} if status == "succeeded" else {}),
        }
        await self._store.update(self._operation, values, changes=changes)
        log.info(
            "operation_finished", operation_id=self._operation.id, kind=self._operation.kind, status=status
        )

    def _progress_at(self, position: int, fraction: float) -> int:
        total = sum(self._weights) or 1.0
        done = sum(self._weights[:position]) + self._weights[position] * fraction
        return int(100 * done / total)


class _StepContext:
    """What a step may do besides its work; see `model.Context`."""

    def __init__(self, run: _Run, position: int) -> None:
        self._run = run
        self._position = position

    @property
    def operation(self) -> ClaimedOperation:
        return self._run._operation  # noqa: SLF001 - a part of it

    async def log(self, message: str, *, level: str = "info") -> None:
        step = self._run._workflow.steps[self._position].name  # noqa: SLF001 - a part of it
        await self._run._store.write_line(self.operation, level, message, step)  # noqa: SLF001 - a part of it

    async def save(self, state: Any, *changes: Change) -> None:
        self._run._state = state  # noqa: SLF001 - a part of it
        values = {"state": dump_state(state)}
        await self._run._store.update(self.operation, values, changes=changes)  # noqa: SLF001 - a part of it

    async def note_upid(self, upid: str) -> None:
        if upid:
            await self._run._store.note_upid(self.operation, self._position, upid)  # noqa: SLF001 - a part of it

    async def progress(self, fraction: float, *, message: str = "") -> None:
        percent = self._run._progress_at(self._position, min(max(fraction, 0.0), 1.0))  # noqa: SLF001 - a part of it
        step = {"message": message} if message else {"status": "running"}
        await self._run._store.update_step(  # noqa: SLF001 - a part of it
            self.operation, self._position, step, values={"progress": percent}
        )
