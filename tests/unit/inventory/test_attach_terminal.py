"""AttachTerminal: an owner's running container, input and output at once, and the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from services.inventory.domain.containers import ContainerRef, View
from services.inventory.domain.errors import ContainerStoppedError, HostUnreachableError, NotOursError
from services.inventory.domain.terminals import Keystrokes, ScreenOutput, ScreenSize, Terminal
from services.inventory.proxmox.terminal import ShellOutput
from services.inventory.usecases.attach_terminal import attach_terminal
from tests.fakes.inventory import InstantInventory


class EchoTerminal:
    """A terminal that shows what is typed; `exit` ends it, `break` breaks the connection for typing alone."""

    mode = "ssh"

    def __init__(self) -> None:
        self.shown: asyncio.Queue[bytes] = asyncio.Queue()
        self.sizes: list[ScreenSize] = []
        self.is_closed = False

    async def read(self) -> bytes:
        return await self.shown.get()

    async def write(self, data: bytes) -> None:
        if data == b"break":
            raise HostUnreachableError("SSH broke")
        self.shown.put_nowait(b"" if data == b"exit" else data)

    async def resize(self, size: ScreenSize) -> None:
        self.sizes.append(size)

    async def find_exit_status(self) -> int:
        return 4

    async def close(self) -> None:
        self.is_closed = True


class EchoTerminals:
    """Opens the one terminal."""

    def __init__(self) -> None:
        self.terminal = EchoTerminal()
        self.opened: list[tuple[int, bool]] = []

    async def open_terminal(self, view: View, *, size: ScreenSize, is_busy: bool) -> Terminal:
        self.terminal.sizes.append(size)
        self.opened.append((view.vmid, is_busy))
        return self.terminal


async def type_all(*keys: Keystrokes) -> AsyncIterator[Keystrokes]:
    for each in keys:
        yield each


def attach(
    inventory: InstantInventory, terminals: EchoTerminals, ref: ContainerRef, *keys: Keystrokes, **given: Any
) -> Any:
    options = {"owner": "shop", "size": ScreenSize(), "is_busy": False, **given}
    return attach_terminal(inventory.lookup, terminals, ref=ref, keys=type_all(*keys), **options)


async def test_the_mode_comes_first_and_the_status_last(inventory: InstantInventory) -> None:
    ref = await inventory.create(is_running=True)
    terminals = EchoTerminals()
    keys = (Keystrokes(b"ls"), Keystrokes(columns=100), Keystrokes(columns=100, rows=30), Keystrokes(b"exit"))
    shown = [piece async for piece in attach(inventory, terminals, ref, *keys, is_busy=True)]
    assert shown == [ScreenOutput(mode="ssh"), ScreenOutput(b"ls"), ScreenOutput(exit_status=4)]
    assert terminals.terminal.sizes == [ScreenSize(80, 24), ScreenSize(100, 24), ScreenSize(100, 30)]
    assert terminals.opened == [(ref.vmid, True)]
    assert terminals.terminal.is_closed


async def test_others_containers_and_stopped_ones_are_refused(inventory: InstantInventory) -> None:
    terminals = EchoTerminals()
    ref = await inventory.create()
    with pytest.raises(ContainerStoppedError, match="start it first"):
        await anext(attach(inventory, terminals, ref))
    await inventory.start(ref)
    with pytest.raises(NotOursError):
        await anext(attach(inventory, terminals, ref, owner="blog"))
    assert terminals.opened == []


async def test_a_caller_who_leaves_closes_the_terminal(inventory: InstantInventory) -> None:
    ref = await inventory.create(is_running=True)
    terminals = EchoTerminals()
    async with aclosing(attach(inventory, terminals, ref, Keystrokes(b"x"))) as pieces:
        await anext(pieces)
        assert await anext(pieces) == ScreenOutput(b"x")
        assert not terminals.terminal.is_closed
    assert terminals.terminal.is_closed


async def test_typing_that_fails_ends_the_terminal_with_its_error(inventory: InstantInventory) -> None:
    ref = await inventory.create(is_running=True)
    terminals = EchoTerminals()
    with pytest.raises(HostUnreachableError, match="SSH broke"):
        async for _ in attach(inventory, terminals, ref, Keystrokes(b"break")):
            pass
    assert terminals.terminal.is_closed


@pytest.mark.parametrize("width", [1, 2, 3, 7, 1000])
def test_output_of_a_shell_in_a_shell_is_found_in_pieces_of_any_size(width: int) -> None:
    token = "px0123456789abcdef"
    echo = f"{{ printf '%s-%s\\n' {token} begin;sh;printf '\\033_%s-%s-%s-' {token} end $?; }}\r\n"
    inside = b"p\x1b[31mpx\x1b_px\x1b" + b"~# exit\r\n"
    data = echo.encode() + f"{token}-begin\r\n".encode() + inside + f"\x1b_{token}-end-130-# ".encode()
    output = ShellOutput(token)
    shown = b""
    for start in range(0, len(data), width):
        output.feed(data[start : start + width])
        shown += output.take()
    assert (shown, output.exit_status) == (inside, 130)


def test_a_key_is_shown_at_once_and_a_lone_escape_after_a_moment() -> None:
    output = ShellOutput("px01")
    output.feed(b"px01-begin\r\np")
    assert output.take() == b"p"
    output.feed(b"\x1b")
    assert (output.take(), output.has_escape) == (b"", True)
    output.flush()
    assert (output.take(), output.has_escape) == (b"\x1b", False)
