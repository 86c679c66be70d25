"""Bidirectional streams: admission, checks of every message, revocation in the middle, audit of begin and end."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import Any

import grpc
import pytest
from proximity.apps.v1 import apps_service_pb2 as pb
from proximity.apps.v1.apps_service_pb2_grpc import AppsServiceStub

from services.common.core.errors import InvalidError, NotFoundError
from services.common.identity.tokens import CredentialsInvalidError
from services.common.rpc import handlers as duplex
from services.common.rpc.call import Call
from services.common.rpc.interceptors.authorization import OriginRefusedError, ScopeMissingError
from services.common.rpc.server import add_service, create_server
from services.common.rpc.server_context import TooManyStreamsError
from services.common.rpc.status import InternalError, parse_error
from tests.fakes.duplex import METHOD, DuplexWorld, FakeShell


@pytest.fixture
def world() -> DuplexWorld:
    return DuplexWorld()


START = pb.TerminalInput(app_id="web-1")


async def test_begin_and_end_are_recorded_and_what_was_typed_is_not(world: DuplexWorld) -> None:
    async with aclosing(world.run(START, pb.TerminalInput(data=b"secret"))) as answers:
        assert [await anext(answers), (await anext(answers)).data] == [pb.TerminalOutput(), b"secret"]
        assert world.audit.entries == [("apps.AttachTerminal", "web-1", "OK")]
    await asyncio.sleep(0)
    assert [entry[1:] for entry in world.audit.entries] == [
        ("web-1", "OK"),
        ("web-1, ended after 0 s", "OK"),
    ]
    assert len(world.audit.ids) == 2  # two entries, not one entry twice
    assert not world.shell.is_open


async def test_refusals_are_recorded_once(world: DuplexWorld) -> None:
    with pytest.raises(NotFoundError):
        await anext(world.run(pb.TerminalInput(app_id="none")))
    with pytest.raises(ScopeMissingError):
        await anext(world.run(START, token="prx_read"))
    await asyncio.sleep(0)
    assert [entry[1:] for entry in world.audit.entries] == [("none", "NOT_FOUND"), ("", "PERMISSION_DENIED")]


async def test_an_idle_stream_ends_when_its_credentials_are_revoked(
    world: DuplexWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplex, "RECHECK_S", 0.02)
    queue: asyncio.Queue[Any] = asyncio.Queue()
    answers = world.run(START, queue=queue)
    await anext(answers)
    world.revocations.revoke("user.7", time.time())
    with pytest.raises(CredentialsInvalidError):
        async with asyncio.timeout(60):
            await anext(answers)
    assert not world.shell.is_open


async def test_nothing_typed_after_a_revocation_arrives(world: DuplexWorld) -> None:
    queue: asyncio.Queue[Any] = asyncio.Queue()
    answers = world.run(START, queue=queue)
    await anext(answers)
    queue.put_nowait(pb.TerminalInput(data=b"ls"))
    assert (await anext(answers)).data == b"ls"
    world.revocations.revoke("user.7", time.time())
    queue.put_nowait(pb.TerminalInput(data=b"rm -rf /"))
    with pytest.raises(CredentialsInvalidError):
        async with asyncio.timeout(60):
            await anext(answers)
    assert world.shell.typed == [b"ls"]
    await asyncio.sleep(0)
    assert world.audit.entries[-1][1:] == ("web-1, ended after 0 s", "UNAUTHENTICATED")


async def test_a_stream_goes_on_with_a_newer_token_that_the_handler_does_not_see(world: DuplexWorld) -> None:
    queue: asyncio.Queue[Any] = asyncio.Queue()
    async with aclosing(world.run(START, queue=queue)) as answers:
        await anext(answers)
        queue.put_nowait(pb.TerminalInput(token="prx_newer"))
        queue.put_nowait(pb.TerminalInput(data=b"ls"))
        assert (await anext(answers)).data == b"ls"
        world.revocations.revoke("jti.prx_write", time.time())  # the token that opened it has ended
        queue.put_nowait(pb.TerminalInput(data=b"pwd"))
        assert (await anext(answers)).data == b"pwd"
        assert world.shell.typed == [b"ls", b"pwd"]
        world.revocations.revoke("jti.prx_newer", time.time())
        queue.put_nowait(pb.TerminalInput(data=b"rm"))
        with pytest.raises(CredentialsInvalidError):
            async with asyncio.timeout(60):
                await anext(answers)
    assert world.shell.typed == [b"ls", b"pwd"]


@pytest.mark.parametrize(
    ("token", "refusal"),
    [("prx_bob", CredentialsInvalidError), ("prx_read", ScopeMissingError), ("x", CredentialsInvalidError)],
)
async def test_a_token_of_others_or_with_fewer_rights_ends_the_stream(
    world: DuplexWorld, token: str, refusal: type[Exception]
) -> None:
    queue: asyncio.Queue[Any] = asyncio.Queue()
    answers = world.run(START, queue=queue)
    await anext(answers)
    queue.put_nowait(pb.TerminalInput(token=token, data=b"ls"))
    with pytest.raises(refusal):
        async with asyncio.timeout(60):
            await anext(answers)
    assert world.shell.typed == []


async def test_every_message_is_checked_by_the_rules(world: DuplexWorld) -> None:
    queue: asyncio.Queue[Any] = asyncio.Queue()
    answers = world.run(START, queue=queue)
    await anext(answers)
    queue.put_nowait(pb.TerminalInput(data=b"x" * 65_537))
    with pytest.raises(InvalidError, match="65536"):
        async with asyncio.timeout(60):
            await anext(answers)
    assert world.shell.typed == []
    with pytest.raises(InvalidError, match="control character"):
        await anext(world.run(pb.TerminalInput(app_id="web\x1b[31m\r\n")))


async def test_faults_of_ours_say_nothing_about_themselves(world: DuplexWorld) -> None:
    answers = world.run(START, pb.TerminalInput(data=b"boom"))
    await anext(answers)
    with pytest.raises(InternalError) as caught:
        await anext(answers)
    assert "hunter2" not in caught.value.message


async def test_a_user_has_so_many_streams_at_a_time(world: DuplexWorld) -> None:
    async with aclosing(world.run(START, queue=asyncio.Queue())) as first:
        await anext(first)
        async with aclosing(world.run(START, queue=asyncio.Queue())) as second:
            await anext(second)
            with pytest.raises(TooManyStreamsError, match="close one first"):
                await anext(world.run(START))
        async with aclosing(world.run(START, queue=asyncio.Queue())) as third:
            assert await anext(third) == pb.TerminalOutput()


@pytest.mark.parametrize(
    ("origin", "is_refused"),
    [("http://lan:8000", False), ("http://evil.example", True), ("null", True), ("", True)],
)
async def test_a_websocket_with_a_cookie_needs_the_origin_of_its_host(
    world: DuplexWorld, origin: str, is_refused: bool
) -> None:
    metadata = {"cookie": "proximity-auth-cookie=prx_write", "x-forwarded-host": "lan:8000"}
    answers = world.run(
        START,
        token="",
        metadata={**metadata, **({"origin": origin} if origin else {})},
        is_websocket=True,
    )
    if is_refused:
        with pytest.raises(OriginRefusedError):
            await anext(answers)
    else:
        async with aclosing(answers):
            assert await anext(answers) == pb.TerminalOutput()


class Handlers:
    """AppsService with one handler that does something."""

    def __init__(self, shell: FakeShell) -> None:
        self.attach_terminal = shell.attach

    def __getattr__(self, name: str) -> object:
        async def refuse(_request: object, _call: Call) -> object:
            raise NotFoundError(f"{name} is not here")

        return refuse


async def test_a_refusal_in_the_middle_reaches_grpc_clients_with_its_reason(world: DuplexWorld) -> None:
    """It has headers of its own (www-authenticate), which cannot be sent any more then."""
    server = create_server()
    add_service(server, METHOD.containing_service, handlers=Handlers(world.shell), context=world.context)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub: Any = AppsServiceStub(channel)
        call = stub.AttachTerminal(metadata=(("authorization", "Bearer prx_write"),))
        await call.write(START)
        assert await call.read() == pb.TerminalOutput()
        await call.write(pb.TerminalInput(data=b"ls"))
        assert (await call.read()).data == b"ls"
        world.revocations.revoke("user.7", time.time())
        await call.write(pb.TerminalInput(data=b"rm"))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert parse_error(caught.value, service="apps").reason == "CREDENTIALS_INVALID"
    assert world.shell.typed == [b"ls"]
    await server.stop(None)
