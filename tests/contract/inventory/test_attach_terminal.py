"""Terminals in containers, by SSH and by the shared console of the API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from proximity.inventory.v1 import container_service_pb2 as cs

from services.common.core.errors import is_waiting
from services.inventory.domain.entities import Secrets
from services.inventory.domain.errors import (
    ConsoleTakenError,
    ContainerStoppedError,
    NotOursError,
    TerminalBusyError,
)
from services.inventory.store import SqlConsoleLeases
from tests.contract.inventory.conftest import OWNER, Inventory, new_call
from tests.unit.pvesim.sim import Running

MODES = ("ssh", "console")
END_S = 20.0


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def secrets(sim: Running, mode: str) -> Secrets:
    ready = sim.client.ready
    return (
        Secrets(password=str(ready["password"]))
        if mode == "ssh"
        else Secrets(token_secret=str(ready["token_secret"]))
    )


@pytest.fixture
def access(sim: Running, mode: str) -> dict[str, Any]:
    return {} if mode == "ssh" else {"token_id": str(sim.client.ready["token_id"])}


class Screen:
    """A terminal as a person uses it."""

    def __init__(self) -> None:
        self.keys: asyncio.Queue[cs.TerminalRequest | None] = asyncio.Queue()
        self.shown = b""
        self.mode = ""
        self.exit_status: int | None = None
        self.changed = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    def type(self, data: bytes) -> None:
        self.keys.put_nowait(cs.TerminalRequest(data=data))

    def resize(self, columns: int, rows: int) -> None:
        self.keys.put_nowait(cs.TerminalRequest(columns=columns, rows=rows))

    async def messages(self) -> AsyncIterator[cs.TerminalRequest]:
        while (message := await self.keys.get()) is not None:
            yield message

    async def follow(self, answers: AsyncIterator[cs.TerminalResponse]) -> None:
        async for answer in answers:
            self.mode = self.mode or answer.mode
            self.shown += answer.data
            if answer.HasField("exit_status"):
                self.exit_status = answer.exit_status
            self.changed.set()
        self.changed.set()

    async def find(self, text: bytes) -> bytes:
        """Wait until a text is shown; returns what came before it."""
        async with asyncio.timeout(END_S):
            while text not in self.shown:
                self.changed.clear()
                if self.task is not None and self.task.done():
                    self.task.result()
                    raise AssertionError(f"ended without {text!r}: {self.shown!r}")
                await self.changed.wait()
        before, _, self.shown = self.shown.partition(text)
        return before

    async def end(self) -> int | None:
        """Wait for the end of the shell."""
        assert self.task is not None
        await asyncio.wait_for(asyncio.shield(self.task), END_S)
        return self.exit_status


@asynccontextmanager
async def attach(
    inventory: Inventory, ref: cs.ContainerRef, owner: str, **first: Any
) -> AsyncIterator[Screen]:
    screen = Screen()
    screen.keys.put_nowait(cs.TerminalRequest(container=ref, owner=owner, **first))
    answers = inventory.containers.attach_terminal(screen.messages(), new_call())
    screen.task = asyncio.ensure_future(screen.follow(answers))
    try:
        async with asyncio.timeout(END_S):
            while not screen.mode:
                screen.changed.clear()
                if screen.task.done():
                    screen.task.result()
                    raise AssertionError("it ended at once")
                waiting = asyncio.ensure_future(screen.changed.wait())
                await asyncio.wait((waiting, screen.task), return_when=asyncio.FIRST_COMPLETED)
        yield screen
    finally:
        screen.task.cancel()
        await asyncio.gather(screen.task, return_exceptions=True)


async def start(inventory: Inventory, owner: str, **options: Any) -> cs.ContainerRef:
    ref = await inventory.create(owner, **options)
    await inventory.start(ref, owner)
    return ref


@pytest.mark.parametrize("template", ["debian-12-standard", "alpine-3"])
async def test_a_shell_echoes_answers_and_ends_with_its_status(
    inventory: Inventory, mode: str, template: str
) -> None:
    owner = f"terminal-{mode}-{template}"
    ref = await start(inventory, owner, template=template)
    async with attach(inventory, ref, owner, columns=100, rows=30) as screen:
        assert screen.mode == mode
        await screen.find(b"# ")
        screen.type(b"p")
        await screen.find(b"p")  # a key is echoed at once, also one that a marker might begin with
        screen.type(b"rintf '%s-%s\\n' a b; stty size\r")
        await screen.find(b"a-b\r\n30 100\r\n")
        screen.resize(120, 40)
        screen.type(b"\r")
        await screen.find(b"# ")
        screen.type(b"stty size; hostname\r")
        await screen.find(b"40 120\r\nweb\r\n")
        screen.type(b"exit 7\r")
        assert await screen.end() == 7
    assert await inventory.run(ref, "echo", "on", owner=owner) == ("on\n", 0)


async def test_nothing_of_the_platform_is_shown_in_a_terminal(inventory: Inventory, mode: str) -> None:
    owner = f"terminal-clean-{mode}"
    ref = await start(inventory, owner)
    assert (await inventory.run(ref, "echo", "before", owner=owner))[1] == 0
    async with attach(inventory, ref, owner) as screen:
        screen.type(b"exit\r")
        await screen.end()
        assert b"before" not in screen.shown
        assert b"printf" not in screen.shown
        assert b"HISTFILE" not in screen.shown
        assert b"px" not in screen.shown


async def test_an_interrupt_ends_what_runs_and_the_shell_goes_on(inventory: Inventory, mode: str) -> None:
    owner = f"terminal-interrupt-{mode}"
    ref = await start(inventory, owner)
    async with attach(inventory, ref, owner) as screen:
        await screen.find(b"# ")
        screen.type(b"echo be''gun; sleep 600\r")
        await screen.find(b"begun\r\n")
        screen.type(b"\x03")
        await screen.find(b"^C")
        screen.type(b"echo sti''ll here\r")
        await screen.find(b"still here")


async def test_escape_sequences_and_much_output_arrive_whole(inventory: Inventory, mode: str) -> None:
    owner = f"terminal-much-{mode}"
    ref = await start(inventory, owner)
    async with attach(inventory, ref, owner) as screen:
        await screen.find(b"# ")
        screen.type(b"printf '\\033[31mred\\033[0m\\033]0;title\\007\\033'\r")
        await screen.find(b"\x1b[31mred\x1b[0m\x1b]0;title\x07\x1b")
        screen.type(b"seq 1 30000; echo e''nd\r")
        shown = await screen.find(b"\r\nend\r\n")
        assert shown.endswith(b"29999\r\n30000")
        assert shown.count(b"\r\n") >= 30000


async def test_a_caller_who_leaves_leaves_nothing_running_in_the_way(inventory: Inventory, mode: str) -> None:
    owner = f"terminal-leave-{mode}"
    ref = await start(inventory, owner)
    async with attach(inventory, ref, owner) as screen:
        await screen.find(b"# ")
        screen.type(b"sleep 600\r")
        await screen.find(b"sleep 600\r\n")
    assert await inventory.run(ref, "echo", "on", owner=owner) == ("on\n", 0)
    async with attach(inventory, ref, owner) as screen:
        screen.type(b"exit 3\r")
        assert await screen.end() == 3


async def test_others_containers_and_stopped_ones_have_no_terminal(inventory: Inventory, mode: str) -> None:
    owner = f"terminal-foreign-{mode}"
    ref = await inventory.create(owner)
    with pytest.raises(ContainerStoppedError, match="start it first"):
        async with attach(inventory, ref, owner):
            pass
    await inventory.start(ref, owner)
    with pytest.raises(NotOursError):
        async with attach(inventory, ref, OWNER):
            pass


async def test_two_terminals_are_two_shells_by_ssh_and_one_is_refused_on_a_shared_console(
    inventory: Inventory, mode: str
) -> None:
    owner = f"terminal-two-{mode}"
    ref = await start(inventory, owner)
    async with attach(inventory, ref, owner) as first:
        await first.find(b"# ")
        if mode == "console":
            with pytest.raises(TerminalBusyError, match="in use"):
                async with attach(inventory, ref, owner):
                    pass
            with pytest.raises(ConsoleTakenError, match="a terminal is open"):
                await inventory.run(ref, "echo", "on", owner=owner)
            first.type(b"echo un''disturbed\r")
            await first.find(b"\nundisturbed\r\n")
        else:
            async with attach(inventory, ref, owner) as second:
                second.type(b"X=second; echo $X\r")
                await second.find(b"\nsecond\r\n")
                first.type(b"echo [$X]\r")
                await first.find(b"\n[]\r\n")


async def test_an_operation_and_a_terminal_exclude_each_other_on_a_shared_console(
    inventory: Inventory, mode: str
) -> None:
    owner = f"terminal-busy-{mode}"
    ref = await start(inventory, owner)
    if mode == "ssh":
        async with attach(inventory, ref, owner, busy=True) as screen:
            await screen.find(b"# ")
            assert await inventory.run(ref, "echo", "on", owner=owner) == ("on\n", 0)
        return
    with pytest.raises(TerminalBusyError, match="an operation is under way"):
        async with attach(inventory, ref, owner, busy=True):
            pass
    # A terminal of another replica is known by its lease alone.
    leases = SqlConsoleLeases(inventory.parts.db)
    assert await leases.acquire(ref.host_id, ref.vmid, holder="another")
    with pytest.raises(ConsoleTakenError, match="a terminal is open") as caught:
        await inventory.run(ref, "echo", "on", owner=owner)
    assert is_waiting(caught.value)
    with pytest.raises(TerminalBusyError, match="another terminal"):
        async with attach(inventory, ref, owner):
            pass
    await leases.release(ref.host_id, ref.vmid, holder="another")
    assert await inventory.run(ref, "echo", "on", owner=owner) == ("on\n", 0)
