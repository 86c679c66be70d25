"""AttachTerminal: who gets a terminal, when it is refused, and when it ends."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.convert.terminal import TerminalFrames
from services.apps.domain.errors import AppNotFoundError, AppStateError, TerminalIdleError
from services.apps.usecases.attach_terminal import attach_terminal
from services.clients.apps.errors import AppBusyError
from services.clients.inventory.terminals import TerminalKeys, TerminalSize
from services.common.core.errors import BusyError, InvalidError
from tests.fakes.apps_service import Service, call
from tests.fakes.unmanaged_apps import deploy_running


class Keys:
    """Messages of a client, one after the other; the client stays until `leave`."""

    def __init__(self, *messages: pb.TerminalInput) -> None:
        self.queue: asyncio.Queue[pb.TerminalInput | None] = asyncio.Queue()
        for message in messages:
            self.queue.put_nowait(message)

    async def __aiter__(self) -> AsyncIterator[pb.TerminalInput]:
        while (message := await self.queue.get()) is not None:
            yield message

    def leave(self) -> None:
        self.queue.put_nowait(None)


def attach(service: Service, keys: Keys, user: int = 1, *, staff: bool = False) -> Any:
    return service.api.attach_terminal(aiter(keys), call(user, staff=staff))


async def test_what_is_typed_is_shown_and_the_status_comes_last(service: Service) -> None:
    app = await deploy_running(service)
    keys = Keys(
        pb.TerminalInput(app_id=app.id, columns=100, rows=30),
        pb.TerminalInput(data=b"\x1b[31mred\x00\xff"),
        pb.TerminalInput(columns=120, rows=40),
        pb.TerminalInput(data=b"exit\r"),
    )
    shown = [piece async for piece in attach(service, keys)]
    assert shown == [
        pb.TerminalOutput(),
        pb.TerminalOutput(data=b"\x1b[31mred\x00\xff"),
        pb.TerminalOutput(exit_status=0),
    ]
    assert service.terminals.sizes == [TerminalSize(100, 30), TerminalSize(120, 40)]
    assert not service.terminals.is_open


async def test_others_apps_do_not_exist_and_administrators_see_all(service: Service) -> None:
    app = await deploy_running(service)
    request = pb.TerminalInput(app_id=app.id)
    with pytest.raises(AppNotFoundError):
        await anext(attach(service, Keys(request), 2))
    assert service.terminals.sizes == []
    async with aclosing(attach(service, Keys(request), 2, staff=True)) as pieces:
        assert await anext(pieces) == pb.TerminalOutput()
    assert not service.terminals.is_open


async def test_an_app_without_a_container_has_no_terminal(service: Service) -> None:
    app = await service.deploy()
    with pytest.raises(AppStateError, match="has no container"):
        await anext(attach(service, Keys(pb.TerminalInput(app_id=app.id))))
    keys = Keys()
    keys.leave()
    with pytest.raises(InvalidError, match="first message"):
        await anext(attach(service, keys))


async def test_a_shared_console_is_not_opened_while_an_operation_runs(service: Service) -> None:
    app = await deploy_running(service)
    await service.platform.act(app.id, "stop")
    request = pb.TerminalInput(app_id=app.id)
    service.terminals.mode = "console"
    with pytest.raises(BusyError, match="an operation is under way"):
        await anext(attach(service, Keys(request)))
    service.terminals.mode = "ssh"
    async with aclosing(attach(service, Keys(request))) as pieces:
        assert await anext(pieces) == pb.TerminalOutput()


async def test_a_container_that_is_being_removed_has_no_terminal(service: Service) -> None:
    app = await deploy_running(service)
    await service.platform.act(app.id, "delete")
    with pytest.raises(AppBusyError, match="is removing; open the terminal when that has ended"):
        await anext(attach(service, Keys(pb.TerminalInput(app_id=app.id))))


async def test_an_operation_that_begins_while_a_console_opens_closes_it(service: Service) -> None:
    app = await deploy_running(service)
    service.terminals.mode = "console"
    store = service.platform.dependencies.store

    class Meanwhile:
        """A store in which an operation begins after the first look."""

        looks = 0

        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        async def find_unfinished(self, app_id: str) -> Any:
            self.looks += 1
            if self.looks == 2:
                await service.platform.act(app.id, "stop")
            return await store.find_unfinished(app_id)

    apps = Meanwhile()
    keys = Keys(pb.TerminalInput())
    pieces = attach_terminal(
        apps, service.terminals, app_id=app.id, owner_filter=1, size=TerminalSize(), keys=_typed(keys)
    )
    with pytest.raises(AppBusyError, match="has begun"):
        await anext(pieces)
    assert apps.looks == 2
    assert not service.terminals.is_open


async def _typed(keys: Keys) -> AsyncIterator[TerminalKeys]:
    async for message in keys:
        yield TerminalKeys(message.data)


async def test_a_terminal_at_which_nothing_is_typed_is_closed(service: Service) -> None:
    app = await deploy_running(service)
    keys = Keys(pb.TerminalInput(data=b"a"))
    pieces = attach_terminal(
        service.platform.dependencies.store,
        service.terminals,
        app_id=app.id,
        owner_filter=1,
        size=TerminalSize(),
        keys=_typed(keys),
        idle_s=0.05,
    )
    shown = [(await anext(pieces)).data for _ in range(2)]
    with pytest.raises(TerminalIdleError, match="nothing was typed for"):
        await anext(pieces)
    assert shown == [b"", b"a"]
    assert not service.terminals.is_open


async def test_frames_of_a_websocket_are_checked() -> None:
    frames = TerminalFrames()
    app_id = f"web-{uuid.uuid4().hex[:8]}"
    assert frames.parse_opening(app_id, {"columns": "100"}) == pb.TerminalInput(app_id=app_id, columns=100)
    assert frames.parse_frame(b"\x03") == pb.TerminalInput(data=b"\x03")
    assert frames.parse_frame('{"columns": 90, "rows": 20}') == pb.TerminalInput(columns=90, rows=20)
    for wrong in ("", "[]", "ls", '{"data": "x"}', '{"columns": 90.5}', '{"columns": true}', '{"rows": -1}'):
        with pytest.raises(InvalidError):
            frames.parse_frame(wrong)
    answer = pb.TerminalOutput(data=b"x", exit_status=0)
    assert frames.render_frames(answer, is_first=True) == [
        '{"type": "attached"}',
        b"x",
        '{"type": "exit", "status": 0}',
    ]
