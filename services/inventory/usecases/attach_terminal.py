"""AttachTerminal: a shell on a terminal in an owner's running container."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from services.inventory.domain.containers import ContainerRef
from services.inventory.domain.terminals import (
    Keystrokes,
    ScreenOutput,
    ScreenSize,
    Terminal,
    TerminalOpener,
)
from services.inventory.proxmox.containers import ContainerLookup
from services.inventory.usecases.guests import get_running


async def attach_terminal(
    containers: ContainerLookup,
    terminals: TerminalOpener,
    *,
    ref: ContainerRef,
    owner: str,
    size: ScreenSize,
    is_busy: bool,
    keys: AsyncIterator[Keystrokes],
) -> AsyncGenerator[ScreenOutput, None]:
    """Open a shell, type `keys` and yield what it shows: first its mode, last its exit status.

    It is closed when the caller leaves. Where `keys` end, the shell goes on until it ends by itself.

    Raises:
        NotOursError: the container does not carry the owner's marks.
        ContainerStoppedError: it does not run.
        DomainError: as `TerminalOpener.open_terminal`.
    """
    view = await get_running(containers, ref, owner=owner)
    terminal = await terminals.open_terminal(view, size=size, is_busy=is_busy)
    try:
        yield ScreenOutput(mode=terminal.mode)
        typing = asyncio.ensure_future(_type(terminal, keys, size=size))
        try:
            while shown := await _read(terminal, typing):
                yield ScreenOutput(shown)
        finally:
            typing.cancel()
        yield ScreenOutput(exit_status=await terminal.find_exit_status())
    finally:
        await terminal.close()


async def _read(terminal: Terminal, typing: asyncio.Task[None]) -> bytes:
    """Return what a terminal shows next; raises what typing failed with."""
    reading = asyncio.ensure_future(terminal.read())
    try:
        if not typing.done():
            await asyncio.wait((reading, typing), return_when=asyncio.FIRST_COMPLETED)
        # Only a failure ends the shell: input that has just ended may be a script, whose output still comes.
        if typing.done() and not reading.done():
            typing.result()
        return await reading
    finally:
        reading.cancel()


async def _type(terminal: Terminal, keys: AsyncIterator[Keystrokes], *, size: ScreenSize) -> None:
    async for each in keys:
        wanted = size.change(each.columns, each.rows)
        if wanted != size:
            size = wanted
            await terminal.resize(size)
        if each.data:
            await terminal.write(each.data)
