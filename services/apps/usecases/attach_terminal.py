"""AttachTerminal: a shell on a terminal in the container of an app."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Protocol

from services.apps.domain.entities import App
from services.apps.domain.errors import AppStateError, TerminalIdleError
from services.clients.apps.errors import AppBusyError
from services.clients.inventory.terminals import TerminalKeys, TerminalPiece, Terminals, TerminalSize
from services.clients.inventory.values import Ref
from services.common.operations.model import Operation

# Statuses in which the container is made, marked or destroyed: it may be missing, or not carry the app's mark yet.
_INCOMPLETE = frozenset({"deploying", "cloning", "adopting", "restoring", "removing"})
IDLE_S = 1800.0  # a forgotten terminal is an open door, and on a shared console it makes operations wait


class TerminalApps(Protocol):
    """Apps, and the operations that lock them."""

    async def get_app(self, app_id: str, *, owner: int | None = None) -> App:
        """Return one app, or raise AppNotFoundError."""

    async def find_unfinished(self, app_id: str) -> Operation | None:
        """Return the operation under way on an app."""


async def attach_terminal(
    apps: TerminalApps,
    terminals: Terminals,
    *,
    app_id: str,
    owner_filter: int | None,
    size: TerminalSize,
    keys: AsyncIterator[TerminalKeys],
    idle_s: float = IDLE_S,
) -> AsyncGenerator[TerminalPiece, None]:
    """Open a shell, type `keys` and yield what it shows; the first piece has no data, the last one the exit status.

    Raises:
        AppNotFoundError: there is no such app, or it is not the owner's.
        AppStateError: the app has no container.
        AppBusyError: the container is being made or removed, or an operation is under way and users share the console
            with the platform.
        TerminalIdleError: no key came for `idle_s` seconds.
        DomainError: as `Terminals.attach_terminal`.
    """
    app = await apps.get_app(app_id, owner=owner_filter)
    if app.vmid is None:
        raise AppStateError(f"{app.id} has no container in which a terminal could be opened")
    if app.status in _INCOMPLETE:
        raise AppBusyError(f"{app.id} is {app.status}; open the terminal when that has ended")
    ref = Ref(app.host_id, app.vmid, app.node)
    is_busy = await apps.find_unfinished(app.id) is not None
    pieces = terminals.attach_terminal(
        ref, owner=app.id, size=size, is_busy=is_busy, keys=_limit_idling(keys, idle_s)
    )
    async with aclosing(pieces):
        async for piece in pieces:
            # An operation that began meanwhile has not seen the terminal, and the terminal not the operation. Each
            # looks for the other after it has shown itself: one of the two finds the other.
            if piece.mode == "console" and await apps.find_unfinished(app.id) is not None:
                raise AppBusyError(
                    f"an operation on {app.id} has begun, and its host gives a container one console for users and "
                    "the platform; open the terminal when the operation has ended"
                )
            yield piece


async def _limit_idling(keys: AsyncIterator[TerminalKeys], idle_s: float) -> AsyncIterator[TerminalKeys]:
    iterator = aiter(keys)
    while True:
        try:
            async with asyncio.timeout(idle_s):
                each = await anext(iterator)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise TerminalIdleError(
                f"nothing was typed for {idle_s / 60:.0f} minutes, so the terminal was closed; open it again"
            ) from None
        yield each
