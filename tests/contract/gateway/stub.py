"""Small real gRPC servers behind the gateway under test: they record calls and answer what a test tells them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf import message_factory
from google.protobuf.message import Message
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from gateway.surface import Method, load_surface
from services.common.core.errors import DomainError
from services.common.rpc.interceptors.json_requests import JSON_SUFFIX, bind_reader
from services.common.rpc.reflection import add_reflection
from services.common.rpc.responses.rendered import Form, choose_form, gather, serialize, wrap_json
from services.common.rpc.status import render_status

Context = Any  # grpc.aio.ServicerContext; its stubs lack abort_with_status
Answer = Callable[[Any, Context], Awaitable[Any]]
_KEY_FETCHER = "Go-browser"  # how Envoy's jwt_authn names itself


@dataclass(frozen=True)
class Call:
    """A request as it reached a service."""

    owner: str  # the service whose server it reached
    path: str
    request: Any
    metadata: dict[str, str]
    time_remaining: float | None


@dataclass
class Backend:
    """Five servers on five ports in one thread.

    Attributes:
        calls: of clients, in their order.
        key_fetches: Envoy's own calls for the keys of auth, which come whenever it wants.
    """

    credentials: dict[str, grpc.ServerCredentials] = field(default_factory=dict)  # none: plain text
    ports: dict[str, int] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    key_fetches: list[Call] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)
    cancelled: threading.Event = field(default_factory=threading.Event)
    _servers: dict[str, grpc.aio.Server] = field(default_factory=dict)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _thread: threading.Thread | None = None

    def reset(self) -> None:
        """Forget calls and answers."""
        self.calls.clear()
        self.key_fetches.clear()
        self.answers.clear()
        self.cancelled.clear()

    def start(self) -> None:
        """Start the servers; returns when all listen."""
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        for owner in load_surface().owners:
            self._run(self._start_server(owner, 0))

    def stop(self) -> None:
        """Stop everything."""
        for owner in list(self._servers):
            self.stop_server(owner)
        self._loop.call_soon_threadsafe(self._loop.stop)
        assert self._thread is not None
        self._thread.join(10)
        self._loop.close()

    def stop_server(self, owner: str) -> None:
        """Take one service away."""
        self._run(self._servers.pop(owner).stop(None))

    def start_server(self, owner: str) -> None:
        """Bring a service back to its port."""
        self._run(self._start_server(owner, self.ports[owner]))

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _start_server(self, owner: str, port: int) -> None:
        server = grpc.aio.server(options=[("grpc.so_reuseport", 0), ("grpc.max_metadata_size", 32 * 1024)])
        methods = [method for method in load_surface().methods if method.owner == owner]
        for service in {method.service for method in methods}:
            mine = [method for method in methods if method.service == service]
            handlers = {m.name: self._handle(owner, m) for m in mine}
            handlers |= {f"{m.name}{JSON_SUFFIX}": self._handle_json(owner, m) for m in mine if m.takes_json}
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        checker = health.aio.HealthServicer()  # type: ignore[attr-defined]
        names = sorted({method.service for method in methods if method.is_routed})
        for name in ("", *names):
            await checker.set(name, health_pb2.HealthCheckResponse.SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(checker, server)
        add_reflection(server)
        address = f"127.0.0.1:{port}"
        secret = self.credentials.get(owner)
        self.ports[owner] = (
            server.add_secure_port(address, secret) if secret else server.add_insecure_port(address)
        )
        await server.start()
        self._servers[owner] = server

    def _handle_json(self, owner: str, method: Method) -> grpc.RpcMethodHandler[Any, Any]:
        described = load_surface().pool.FindMethodByName(method.path[1:].replace("/", "."))
        return self._handle(owner, method, read=bind_reader(get_type(method.input), described))

    def _handle(
        self, owner: str, method: Method, *, read: Callable[[bytes], Any] | None = None
    ) -> grpc.RpcMethodHandler[Any, Any]:
        request_type, response_type = get_type(method.input), get_type(method.output)

        def shape(message: Any, context: Context) -> Any:
            return wrap_json(message) if method.is_printed and is_json_asked(context) else message

        def is_json_asked(context: Context) -> bool:
            return choose_form(dict(context.invocation_metadata() or ())) is Form.JSON

        async def unary(request: Any, context: Context) -> Any:
            if isinstance(request, DomainError):
                await context.abort_with_status(rpc_status.to_status(render_status(request)))
            self._record(owner, method, request, context)
            answer = self.answers.get(method.path)
            if answer:
                return shape(await answer(request, context), context)
            if method.success != 200:
                await context.send_initial_metadata([("x-http-code", str(method.success))])
            return shape(response_type(), context)

        async def stream(request: Any, context: Context) -> Any:
            self._record(owner, method, request, context)
            answer = self.answers.get(method.path)
            try:
                if method.is_array and is_json_asked(context):
                    stream: Any = answer or _say_nothing
                    yield wrap_json(await gather(stream)(request, context))
                elif answer:
                    async for item in answer(request, context):  # type: ignore[attr-defined]
                        yield item
            except asyncio.CancelledError:
                self.cancelled.set()
                raise

        make = (
            grpc.unary_stream_rpc_method_handler
            if method.server_streaming
            else grpc.unary_unary_rpc_method_handler
        )
        return make(
            stream if method.server_streaming else unary,
            request_deserializer=read or request_type.FromString,
            response_serializer=serialize,
        )

    def _record(self, owner: str, method: Method, request: Any, context: Context) -> None:
        metadata = {key: str(value) for key, value in context.invocation_metadata() or ()}
        calls = self.key_fetches if metadata.get("user-agent") == _KEY_FETCHER else self.calls
        calls.append(Call(owner, method.path, request, metadata, context.time_remaining()))


async def _say_nothing(_request: Any, _context: Context) -> AsyncIterator[Message]:
    for nothing in tuple[Message, ...]():
        yield nothing


def get_type(name: str) -> type[Message]:
    """Return the class of a message by its full name."""
    return message_factory.GetMessageClass(load_surface().get_message(name))
