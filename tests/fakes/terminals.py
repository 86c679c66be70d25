"""Terminals in memory: a shell that repeats what is typed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress

from services.clients.inventory.terminals import TerminalKeys, TerminalPiece, TerminalSize
from services.clients.inventory.values import Ref
from services.common.core.errors import BusyError, DomainError, PreconditionError


class FakeTerminalBusyError(BusyError):
    """The shared console is used by an operation."""


class FakeTerminals:
    """Inventory's terminals; the shell ends with status 0 at `exit`.

    Attributes:
        mode: ssh or console.
        refusal: why none opens.
        sizes: that terminals had, in order.
        stopped: ids of containers that do not run.
        is_open: whether one is open.
    """

    def __init__(self) -> None:
        self.mode = "ssh"
        self.refusal: DomainError | None = None
        self.sizes: list[TerminalSize] = []
        self.stopped: set[int] = set()
        self.is_open = False

    async def attach_terminal(
        self, ref: Ref, *, owner: str, size: TerminalSize, is_busy: bool, keys: AsyncIterator[TerminalKeys]
    ) -> AsyncGenerator[TerminalPiece, None]:
        """See `Terminals.attach_terminal`."""
        if self.refusal is not None:
            raise self.refusal
        if ref.vmid in self.stopped:
            raise PreconditionError(f"container {ref.vmid} does not run; start it first")
        if is_busy and self.mode == "console":
            raise FakeTerminalBusyError("an operation is under way")
        self.sizes.append(size)
        self.is_open = True
        try:
            yield TerminalPiece(mode=self.mode)
            async for each in keys:
                if each.size != TerminalSize():
                    self.sizes.append(each.size)
                if each.data == b"exit\r":
                    yield TerminalPiece(exit_status=0)
                    return
                if each.data:
                    yield TerminalPiece(each.data)
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
        finally:
            self.is_open = False
