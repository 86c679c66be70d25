"""Terminals as apps sees them: the fake and inventory with a simulated Proxmox behave the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import pytest
from proximity.inventory.v1 import container_service_pb2 as pb

from services.clients.inventory.client import GrpcContainers
from services.clients.inventory.terminals import TerminalKeys, Terminals, TerminalSize
from services.clients.inventory.values import Ref
from services.common.core.errors import DomainError, PreconditionError
from tests.contract.clients.wire import serve
from tests.contract.inventory.conftest import Inventory, access, inventory, secrets, sim
from tests.fakes.terminals import FakeTerminals

__all__ = ["access", "inventory", "secrets", "sim"]

DESCRIPTOR = pb.DESCRIPTOR.services_by_name["ContainerService"]
OWNER = "web-0a1b2c3d"
SIZE = TerminalSize(100, 30)


@dataclass
class Backend:
    """The client, a running container and a stopped one."""

    terminals: Terminals
    running: Ref
    stopped: Ref


@pytest.fixture(params=["fake", "inventory"])
async def backend(
    request: pytest.FixtureRequest, tmp_path: Path, inventory: Inventory
) -> AsyncIterator[Backend]:
    if request.param == "fake":
        terminals = FakeTerminals()
        terminals.stopped.add(9002)
        yield Backend(terminals, Ref(1, 9001, "pve1"), Ref(1, 9002, "pve1"))
        return
    ref, other = await inventory.create(OWNER), await inventory.create(f"{OWNER}e")
    await inventory.start(ref, OWNER)
    async with serve(tmp_path, DESCRIPTOR, inventory.containers, callers=("apps",)) as clients:
        yield Backend(
            GrpcContainers(clients["apps"]),
            Ref(ref.host_id, ref.vmid, ref.node),
            Ref(other.host_id, other.vmid, other.node),
        )


async def type_slowly(*texts: bytes) -> AsyncIterator[TerminalKeys]:
    """Type texts, and stay."""
    for text in texts:
        yield TerminalKeys(text)
    await asyncio.Event().wait()


async def break_off() -> AsyncIterator[TerminalKeys]:
    """Type, and fail."""
    yield TerminalKeys(b"a")
    raise PreconditionError("the keyboard is gone")


async def test_the_mode_comes_first_the_status_last_and_the_echo_between(backend: Backend) -> None:
    keys = type_slowly(b"true", b"\r", b"exit\r")
    pieces = backend.terminals.attach_terminal(
        backend.running, owner=OWNER, size=SIZE, is_busy=False, keys=keys
    )
    async with asyncio.timeout(30), aclosing(pieces):
        shown = [piece async for piece in pieces]
    assert (shown[0].mode, shown[0].data) == ("ssh", b"")
    assert shown[-1].exit_status == 0
    assert b"true" in b"".join(piece.data for piece in shown)
    assert [piece.exit_status for piece in shown[:-1]] == [None] * (len(shown) - 1)


async def test_a_stopped_container_is_refused(backend: Backend) -> None:
    pieces = backend.terminals.attach_terminal(
        backend.stopped, owner=f"{OWNER}e", size=SIZE, is_busy=False, keys=type_slowly()
    )
    async with asyncio.timeout(30):
        with pytest.raises(PreconditionError, match="does not run"):
            await anext(pieces)


async def test_what_the_keys_raise_ends_the_terminal(backend: Backend) -> None:
    pieces = backend.terminals.attach_terminal(
        backend.running, owner=OWNER, size=SIZE, is_busy=False, keys=break_off()
    )
    found: DomainError | None = None
    async with asyncio.timeout(30):
        try:
            async for piece in pieces:
                assert piece.exit_status is None
        except PreconditionError as error:
            found = error
    assert found is not None
    assert found.message == "the keyboard is gone"
