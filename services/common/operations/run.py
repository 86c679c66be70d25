"""Running an operation forward and, when a step fails for good, backwards.

After each step, its state and the next position are committed together with the step's changes. A failure is undone
step by step, backwards; undoing that fails is tried again with growing delay, visible as what the operation waits
for, and given up for a person (`dead`) after 20 tries. Waiting is no try, until a day after the operation's own time.
Undoing that is refused for good (the container belongs to somebody else) is logged and not tried again.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

from services.common.core.clock import now
from services.common.core.errors import DomainError, is_final, is_transient
from services.common.core.log import get_logger
from services.common.core.telemetry.metrics import timing_step
from services.common.core.telemetry.tracing import report_error, span
from services.common.operations.lease import CANCELLED, EndRequestedError, LeasedOperation, StepContext
from services.common.operations.model import MAX_ATTEMPTS, Failure, Step, WaitError, find_wait
from services.common.operations.store import LeaseLostError, LogLine

log = get_logger()

MOST_TRIES = 20  # of what nothing but a person may mend: then the operation is dead
_LONGEST_DELAY_S = 600.0  # between two attempts to clean up: a host that was repaired is noticed within it
_UNDO_WAIT = timedelta(days=1)  # how much longer than its timeout an operation may wait while it is undone
_BACK_OFF = 3.0  # factor between two retries of a step


class OperationRun:
    """Execution of an operation that this worker has leased.

    Args:
        leased: the operation.
        retry_s: seconds before the first retry of a step.
    """

    def __init__(self, leased: LeasedOperation, *, retry_s: float) -> None:
        self._leased = leased
        self._retry_s = retry_s
        self._resumed = leased.operation.status == "waiting"

    async def run(self) -> None:
        """Run it to its end.

        Raises:
            ReleasedError: it waits and was let go.
            LeaseLostError: another worker has it.
            UnavailableError: the database does not answer.
        """
        leased = self._leased
        if leased.operation.status == "undoing":
            await self._undo()
            return
        position = leased.operation.step_index
        while position < len(leased.steps):
            error = await self._run_step(position, leased.steps[position])
            if error is not None:
                await leased.begin_undo(position, error)
                await self._undo()
                return
            position = await leased.follow_state(position)
        await leased.finish("succeeded", "", changes=tuple(leased.workflow.on_succeeded(leased.state)))

    async def _run_step(self, position: int, step: Step[Any]) -> str | None:
        """Run a step to its end; None, or why it failed for good."""
        attempt = self._leased.operation.attempt - 1 if self._resumed else 0
        while (reason := self._leased.find_end(step)) is None:
            attempt += 1
            await self._begin_step(position, step, attempt=attempt)
            if self._leased.find_end(step) is not None:
                continue
            context = StepContext(self._leased, position)
            try:
                with _span_of(step), timing_step(self._leased.workflow.kind, step.name):
                    result = await self._leased.keep_while(step.run(self._leased.state, context), step=step)
            except EndRequestedError:
                continue
            except LeaseLostError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, the operation ends properly
                if (wait := find_wait(error)) is not None:
                    if self._leased.is_overdue:
                        return await self._note_overdue(position, step, wait=wait)
                    await self._wait(position, wait)
                if not is_transient(error) or attempt >= MAX_ATTEMPTS:
                    return await self._note_failure(position, step, error=error)
                await self._back_off(position, step, error=error, attempt=attempt)
            else:
                await self._leased.checkpoint(position, result)
                return None
        return reason

    async def _begin_step(self, position: int, step: Step[Any], *, attempt: int) -> None:
        resumed, self._resumed = self._resumed, False
        values = {
            "status": "running",
            "step_index": position,
            "attempt": attempt,
            "waiting_for": "",
            "progress": self._leased.progress_at(position, 0.0),
        }
        self._leased.is_cancelled = await self._leased.store.update_step(
            self._leased.operation,
            position,
            step={"status": "running"},
            values=values,
            line=LogLine("info", step.description, step.name) if attempt == 1 and not resumed else None,
            count_attempt=not resumed,
        )

    async def _wait(self, position: int, wait: WaitError) -> None:
        values = {"status": "waiting", "waiting_for": wait.reason}
        step = {"status": "waiting", "message": wait.reason}
        await self._report_wait(position, wait.reason)
        await self._leased.release(position, step, values=values, delay=wait.delay)

    async def _report_wait(self, position: int, reason: str) -> None:
        if (on_waiting := self._leased.workflow.on_waiting) is not None:
            context = StepContext(self._leased, position)
            step = self._leased.steps[position].name
            await on_waiting(self._leased.state, context, step=step, reason=reason)

    async def _note_overdue(self, position: int, step: Step[Any], *, wait: WaitError) -> str:
        """Fail a step that would wait beyond the operation's time, also one that cannot be cancelled."""
        reason = self._leased.describe_overdue(step, wait.reason)
        await self._leased.store.update_step(
            self._leased.operation,
            position,
            step={"status": "failed", "message": reason, "finished_at": now()},
            line=LogLine("error", reason, step.name),
        )
        return reason

    async def _back_off(self, position: int, step: Step[Any], *, error: BaseException, attempt: int) -> None:
        delay = self._retry_s * _BACK_OFF ** (attempt - 1) * random.uniform(0.75, 1.25)  # noqa: S311 - jitter
        reason = f"another attempt after: {describe(error)}"
        await self._report_wait(position, reason)
        line = f"{step.description} failed (attempt {attempt} of {MAX_ATTEMPTS}): {describe(error)}"
        await self._leased.store.update_step(
            self._leased.operation,
            position,
            step={"message": describe(error)},
            values={"waiting_for": reason},
            line=LogLine("warning", line, step.name),
        )
        with contextlib.suppress(EndRequestedError):
            await self._leased.keep_while(asyncio.sleep(delay), step=step)

    async def _note_failure(self, position: int, step: Step[Any], *, error: BaseException) -> str:
        message = describe(error)
        if not isinstance(error, DomainError | TimeoutError | ConnectionError):
            report_error(
                error,
                where=f"{self._leased.workflow.kind}.{step.name}",
                operation_id=self._leased.operation.id,
            )
            log.error("step_broken", operation_id=self._leased.operation.id, step=step.name, exc_info=error)
            message = f"internal error; the worker's log has more under {self._leased.operation.id}"
        await self._leased.store.update_step(
            self._leased.operation,
            position,
            step={"status": "failed", "message": message, "finished_at": now()},
            line=LogLine("error", f"{step.description} failed: {message}", step.name),
        )
        return f"{step.description}: {message}"

    async def _undo(self) -> None:
        """Take back what was done, last step first, then finish as failed or cancelled."""
        leased = self._leased
        error = leased.operation.error
        for position in range(min(leased.operation.step_index, len(leased.steps) - 1), -1, -1):
            step = leased.steps[position]
            if step.undo is not None:
                await self._undo_step(
                    position, step, work=step.undo(leased.state, StepContext(leased, position))
                )
        cancelled = error == CANCELLED
        changes = tuple(leased.workflow.on_failed(leased.state, Failure(error, cancelled)))
        await leased.finish("cancelled" if cancelled else "failed", error, changes=changes)

    async def _undo_step(self, position: int, step: Step[Any], *, work: Any) -> None:
        try:
            result = await self._leased.keep_while(work, step=None)
        except LeaseLostError:
            raise
        except Exception as problem:  # noqa: BLE001 - whatever it is, cleaning up is tried again
            if is_final(problem):
                await self._give_up_undo(position, step, problem=problem)
            else:
                await self._postpone_undo(position, step, problem=problem)
        else:
            await self._leased.checkpoint(position, result, undone=True)

    async def _give_up_undo(self, position: int, step: Step[Any], *, problem: Exception) -> None:
        """Go on with the step before: what is refused for good would be refused again."""
        line = f"{step.description} was not undone: {describe(problem)}"
        log.warning("undo_refused", operation_id=self._leased.operation.id, step=step.name, why=line)
        await self._leased.skip_undo(position, describe(problem), line=LogLine("error", line, step.name))

    async def _postpone_undo(self, position: int, step: Step[Any], *, problem: Exception) -> None:
        """Let the operation go until cleaning up may work; give it up for a person after the last try."""
        wait = find_wait(problem)
        tries = self._leased.operation.undo_attempts + (0 if wait and not self._has_waited_long() else 1)
        reason = f"cleaning up ({step.description}) failed: {describe(problem)}"
        log.warning(
            "undo_postponed", operation_id=self._leased.operation.id, step=step.name, tries=tries, why=reason
        )
        values: dict[str, Any] = {
            "status": "undoing" if tries < MOST_TRIES else "dead",
            "undo_attempts": tries,
            "waiting_for": reason,
            "step_index": position,
        }
        await self._leased.release(
            position,
            {"status": "undoing", "message": describe(problem)},
            values=values,
            delay=wait.delay if wait else find_delay(tries, self._retry_s),
            line=None if wait else LogLine("error", reason, step.name),
        )

    def _has_waited_long(self) -> bool:
        longest = self._leased.limit + _UNDO_WAIT
        return now() - self._leased.operation.started_at > longest


def _span_of(step: Step[Any]) -> AbstractContextManager[None]:
    """Open the span of a try of a step, which has not failed when it has to wait."""
    return span(step.name, is_fault=lambda error: find_wait(error) is None)


def find_delay(tries: int, retry_s: float) -> float:
    """Seconds until the next try of what has failed `tries` times: up to ten minutes."""
    return min(retry_s * 2.0**tries, _LONGEST_DELAY_S) * random.uniform(0.75, 1.25)  # noqa: S311 - jitter


def describe(error: BaseException) -> str:
    """The sentence of an error, for the log."""
    if isinstance(error, DomainError):
        return error.message
    if isinstance(error, WaitError):
        return error.reason
    if isinstance(error, TimeoutError):
        return str(error) or "it took too long"
    return str(error) or "it failed without a reason"
