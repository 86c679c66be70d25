"""A server that ends says CANCELLED only of calls that nobody looked at: the gateway asks those of another replica."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from proximity.apps.v1 import apps_service_pb2 as pb
from proximity.apps.v1 import apps_service_pb2_grpc as stubs

from services.common.core.errors import NotFoundError
from services.common.identity.keys import make_service_keys, read_service_keys
from services.common.identity.tokens import Caller, Revocations, TokenVerifier, User
from services.common.rpc.call import Call
from services.common.rpc.interceptors.authorization import Guard
from services.common.rpc.interceptors.deadline import drain
from services.common.rpc.server import add_service, create_server
from services.common.rpc.server_context import ServerContext

SIGNED_IN = (("authorization", "Bearer prx_alice"),)


class Handlers:
    """Reading an app takes the seconds that its id says; the events of one never end."""

    def __init__(self) -> None:
        self.begun = 0
        self.begins = asyncio.Semaphore(0)

    def __getattr__(self, name: str) -> object:
        async def refuse(_request: object) -> object:
            raise NotFoundError(f"{name} is not here")

        return refuse

    async def delete_app(self, request: pb.DeleteAppRequest, _call: Call) -> pb.DeleteAppResponse:
        self.begun += 1
        self.begins.release()
        await asyncio.sleep(float(request.app_id))
        return pb.DeleteAppResponse()

    async def stream_app_events(
        self, _request: pb.StreamAppEventsRequest, _call: Call
    ) -> AsyncIterator[pb.AppEvent]:
        yield pb.AppEvent(id="1")
        await asyncio.Event().wait()


class Service:
    """A running server and a client of it."""

    def __init__(self, handlers: Handlers, server: grpc.aio.Server, api: Any) -> None:
        self.handlers = handlers
        self.server = server
        self.api = api

    def delete(self, takes: str) -> asyncio.Task[str]:
        return asyncio.create_task(
            code_of(self.api.DeleteApp(pb.DeleteAppRequest(app_id=takes), metadata=SIGNED_IN))
        )


async def code_of(call: Awaitable[Any]) -> str:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return str(error.code().name)
    return "OK"


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    make_service_keys(tmp_path)
    _, publics = read_service_keys(tmp_path, "apps")

    async def find_key(_kid: str) -> Ed25519PublicKey | None:
        return None

    async def authenticate(_value: str) -> Caller:
        return Caller(user=User(7, "alice", is_staff=False, scopes=("write",)), expires_at=time.time() + 60)

    guard = Guard(TokenVerifier("apps", publics, find_key, Revocations(), authenticate))
    handlers, server = Handlers(), create_server()
    add_service(
        server,
        pb.DESCRIPTOR.services_by_name["AppsService"],
        handlers=handlers,
        context=ServerContext(guard=guard),
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Service(handlers, server, stubs.AppsServiceStub(channel))
    await server.stop(None)


async def test_what_ends_in_time_is_answered_and_what_does_not_is_unavailable(service: Service) -> None:
    quick, endless = service.delete("0.05"), service.delete("3600")
    for _ in range(2):
        await asyncio.wait_for(service.handlers.begins.acquire(), 10)
    await drain(service.server, 1.2)
    assert [await quick, await endless] == ["OK", "UNAVAILABLE"]


async def test_who_listens_is_sent_away_at_once(service: Service) -> None:
    heard = asyncio.Event()

    async def listen() -> None:
        request = pb.StreamAppEventsRequest(app_id="web-1")
        async for _ in service.api.StreamAppEvents(request, metadata=SIGNED_IN):
            heard.set()

    listening = asyncio.create_task(code_of(listen()))
    await asyncio.wait_for(heard.wait(), 10)
    async with asyncio.timeout(60):
        await drain(service.server, 60)
    assert await listening == "UNAVAILABLE"


async def test_what_is_cancelled_was_not_begun(service: Service) -> None:
    calls = [service.delete("0.01") for _ in range(200)]
    await asyncio.wait_for(service.handlers.begins.acquire(), 10)
    await drain(service.server, 10)
    codes = Counter(await asyncio.gather(*calls))
    assert codes["OK"] == service.handlers.begun
    assert set(codes) <= {"OK", "CANCELLED", "UNAVAILABLE"}
