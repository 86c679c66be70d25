"""A worker's store that dies before or after a chosen commit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from services.common.operations.model import Change, ClaimedOperation
from services.common.operations.store import LeaseLostError, LogLine, SqlOperationStore


class CrashingStore(SqlOperationStore):
    """Counts a worker's checkpoints; at the chosen one the worker dies and writes nothing more.

    Attributes:
        crash_at: number of the checkpoint at which it dies; None: never.
        when: only checkpoints of operations in this status count (`undoing`); empty: all.
        points: names of the checkpoints that were passed.
    """

    crash_at: int | None = None
    when: str = ""
    dead = False

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.points: list[str] = []

    async def update(
        self, operation: ClaimedOperation, values: dict[str, Any], *, changes: Sequence[Change] = ()
    ) -> None:
        """See `SqlOperationStore.update`."""
        name = f"{operation.kind} {values.get('status', 'save')}"
        await self._pass(
            operation, name, lambda: super(CrashingStore, self).update(operation, values, changes=changes)
        )

    async def update_step(
        self, operation: ClaimedOperation, position: int, step: dict[str, Any], **more: Any
    ) -> bool:
        """See `SqlOperationStore.update_step`."""

        cancelled = False

        async def write() -> None:
            nonlocal cancelled
            cancelled = await super(CrashingStore, self).update_step(operation, position, step=step, **more)

        if step.get("status") in {"done", "undone", "waiting", "failed"}:
            await self._pass(operation, f"{operation.kind} step {position} {step['status']}", write)
        else:  # nothing has happened since the last checkpoint
            await self._write(write)
        return cancelled

    async def note_upid(self, operation: ClaimedOperation, position: int, upid: str) -> None:
        """See `SqlOperationStore.note_upid`."""
        await self._write(lambda: super(CrashingStore, self).note_upid(operation, position, upid=upid))

    async def write_line(self, operation: ClaimedOperation, line: LogLine) -> None:
        """See `SqlOperationStore.write_line`."""
        await self._write(lambda: super(CrashingStore, self).write_line(operation, line))

    async def _pass(
        self, operation: ClaimedOperation, name: str, write: Callable[[], Awaitable[None]]
    ) -> None:
        counts = not self.when or operation.status == self.when
        for point in ("before", "after"):
            if point == "after":
                await self._write(write)
            if counts:
                self.points.append(f"{point} {name}")
                if self.crash_at == len(self.points) - 1:
                    self.dead = True
                    raise LeaseLostError("killed")

    async def _write(self, write: Callable[[], Awaitable[None]]) -> None:
        if self.dead:
            raise LeaseLostError("killed")
        await write()
