"""Bidirectional streams: admission, checks of every message, revocation in the middle, audit of begin and end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc
import pytest
from proximity.apps.v1 import apps_service_pb2 as pb
from proximity.apps.v1.apps_service_pb2_grpc import AppsServiceStub

from services.common.core.errors import InvalidError, NotFoundError
from services.common.identity.tokens import Caller, CredentialsInvalidError, Revocations, TokenVerifier, User
from services.common.rpc import duplex
from services.common.rpc.call import Call
from services.common.rpc.duplex import Duplex, make_duplex, read_first
from services.common.rpc.interceptors.authorization import Guard, OriginRefusedError, ScopeMissingError
from services.common.rpc.server import add_service, create_server
from services.common.rpc.server_context import ServerContext
from services.common.rpc.status import InternalError, parse_error
from services.common.rpc.stream_limits import Streams, TooManyStreamsError

METHOD = pb.DESCRIPTOR.services_by_name["AppsService"].methods_by_name["AttachTerminal"]


class Recorder:
    """An audit log in memory."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, str, str]] = []
        self.ids: set[str] = set()

    def expect(self, call: Call, *, action: str) -> None:
        raise AssertionError("streams are recorded as they begin and end")

    async def record(self, call: Call, *, action: str, outcome: str) -> None:
        self.entries.append((action, call.audit_target, outcome))
        self.ids.add(call.audit_id)

    async def run(self) -> None:
        await asyncio.Event().wait()


class Shell:
    """A handler that repeats what is typed."""

    def __init__(self) -> None:
        self.typed: list[bytes] = []
        self.is_open = False

    async def attach(
        self, messages: AsyncIterator[pb.TerminalInput], call: Call
    ) -> AsyncIterator[pb.TerminalOutput]:
        first = await read_first(messages)
        call.audit_target = first.app_id
        if first.app_id == "none":
            raise NotFoundError("there is no such app")
        self.is_open = True
        try:
            yield pb.TerminalOutput()
            async for message in messages:
                self.typed.append(message.data)
                if message.data == b"boom":
                    raise RuntimeError("hunter2")
                yield pb.TerminalOutput(data=message.data)
            await asyncio.Event().wait()
        finally:
            self.is_open = False


class World:
    """One server, its audit log and its revocations."""

    def __init__(self) -> None:
        self.shell, self.audit, self.revocations = Shell(), Recorder(), Revocations()
        self.streams = Streams(2)

        async def authenticate(token: str) -> Caller:
            scopes = ("read",) if token == "prx_read" else ("read", "write")
            user = User(7, "alice", is_staff=False, scopes=scopes)
            return Caller(user=user, token_id=token, issued_at=time.time() - 1, expires_at=time.time() + 60)

        async def find_key(_kid: str) -> None:
            return None

        verifier = TokenVerifier("apps", {}, find_key, self.revocations, authenticate)
        context = ServerContext(guard=Guard(verifier), audit=self.audit, streams=self.streams)
        self.context = context
        self.duplex: Duplex = make_duplex(METHOD, self.shell.attach, context=context)

    def run(
        self, *messages: Any, token: str = "prx_write", queue: asyncio.Queue[Any] | None = None, **more: Any
    ) -> Any:
        async def send() -> AsyncIterator[Any]:
            for message in messages:
                yield message
            while queue is not None:
                yield await queue.get()

        metadata = {"authorization": f"Bearer {token}"} if token else {}
        return self.duplex.run(Call("/x", {**metadata, **more.pop("metadata", {})}, **more), send())


@pytest.fixture
def world() -> World:
    return World()


START = pb.TerminalInput(app_id="web-1")


async def test_begin_and_end_are_recorded_and_what_was_typed_is_not(world: World) -> None:
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


async def test_refusals_are_recorded_once(world: World) -> None:
    with pytest.raises(NotFoundError):
        await anext(world.run(pb.TerminalInput(app_id="none")))
    with pytest.raises(ScopeMissingError):
        await anext(world.run(START, token="prx_read"))
    await asyncio.sleep(0)
    assert [entry[1:] for entry in world.audit.entries] == [("none", "NOT_FOUND"), ("", "PERMISSION_DENIED")]


async def test_an_idle_stream_ends_when_its_credentials_are_revoked(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplex, "RECHECK_S", 0.02)
    queue: asyncio.Queue[Any] = asyncio.Queue()
    answers = world.run(START, queue=queue)
    await anext(answers)
    world.revocations.revoke("user.7", time.time())
    with pytest.raises(CredentialsInvalidError):
        async with asyncio.timeout(10):
            await anext(answers)
    assert not world.shell.is_open


async def test_nothing_typed_after_a_revocation_arrives(world: World) -> None:
    queue: asyncio.Queue[Any] = asyncio.Queue()
    answers = world.run(START, queue=queue)
    await anext(answers)
    queue.put_nowait(pb.TerminalInput(data=b"ls"))
    assert (await anext(answers)).data == b"ls"
    world.revocations.revoke("user.7", time.time())
    queue.put_nowait(pb.TerminalInput(data=b"rm -rf /"))
    with pytest.raises(CredentialsInvalidError):
        async with asyncio.timeout(10):
            await anext(answers)
    assert world.shell.typed == [b"ls"]
    await asyncio.sleep(0)
    assert world.audit.entries[-1][1:] == ("web-1, ended after 0 s", "UNAUTHENTICATED")


async def test_every_message_is_checked_by_the_rules(world: World) -> None:
    queue: asyncio.Queue[Any] = asyncio.Queue()
    answers = world.run(START, queue=queue)
    await anext(answers)
    queue.put_nowait(pb.TerminalInput(data=b"x" * 65_537))
    with pytest.raises(InvalidError, match="65536"):
        async with asyncio.timeout(10):
            await anext(answers)
    assert world.shell.typed == []
    with pytest.raises(InvalidError, match="control character"):
        await anext(world.run(pb.TerminalInput(app_id="web\x1b[31m\r\n")))


async def test_faults_of_ours_say_nothing_about_themselves(world: World) -> None:
    answers = world.run(START, pb.TerminalInput(data=b"boom"))
    await anext(answers)
    with pytest.raises(InternalError) as caught:
        await anext(answers)
    assert "hunter2" not in caught.value.message


async def test_a_user_has_so_many_streams_at_a_time(world: World) -> None:
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
    world: World, origin: str, is_refused: bool
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

    def __init__(self, shell: Shell) -> None:
        self.attach_terminal = shell.attach

    def __getattr__(self, name: str) -> object:
        async def refuse(_request: object, _call: Call) -> object:
            raise NotFoundError(f"{name} is not here")

        return refuse


async def test_a_refusal_in_the_middle_reaches_grpc_clients_with_its_reason(world: World) -> None:
    """It has headers of its own (www-authenticate), which cannot be sent any more then."""
    server = create_server()
    add_service(server, METHOD.containing_service, Handlers(world.shell), world.context)
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
