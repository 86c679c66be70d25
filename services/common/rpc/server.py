"""Handlers to grpc.aio services. Around each handler: guard, rules, idempotency, deadline, errors, audit.

A handler is a method named like its RPC in snake_case: `async def deploy_app(self, request, call) -> App`, or an async
generator for a stream; a unary one may answer with `Rendered` and leave `call` out. Without each handler it does not start.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from functools import partial
from typing import Any, NoReturn

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from grpc_status import rpc_status
from proximity.common.v1 import access_pb2

from services.common.core.errors import DomainError, UnauthenticatedError, UnavailableError
from services.common.core.log import get_logger
from services.common.db.transactions import has_committed
from services.common.rpc.call import Call
from services.common.rpc.handlers import (
    Bind,
    ServiceHandlers,
    convert_failure,
    make_duplex,
    name_action,
    snake_case,
    take_call,
)
from services.common.rpc.interceptors.audit import find_target
from services.common.rpc.interceptors.authorization import find_challenge, rule_of
from services.common.rpc.interceptors.deadline import Deadline, end_with_server, limit_time
from services.common.rpc.interceptors.idempotency import RecordedResponse, name_principal, request_id_of
from services.common.rpc.interceptors.json_requests import JSON_SUFFIX, bind_reader, takes_json
from services.common.rpc.interceptors.validation import Given, check_request, read_request
from services.common.rpc.responses.rendered import (
    RAW_BODY,
    Form,
    Rendered,
    check_printed,
    choose_form,
    gather,
    is_array,
    is_endless,
    serialize,
    wrap_json,
)
from services.common.rpc.server_context import (
    HEAD_HEADER,
    MOST_CALLS,
    ServerContext,
    TooManyCallsError,
    drop_forwarded,
)
from services.common.rpc.status import (
    Context,
    code_of,
    name_code,
    observe_stream,
    observe_unary,
    render_failure_frame,
    render_status,
)

log = get_logger()
_OPTIONS = (
    ("grpc.max_receive_message_length", 16 << 20),
    ("grpc.max_send_message_length", 64 << 20),
    ("grpc.max_metadata_size", 64 << 10),
    ("grpc.so_reuseport", 1),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5000),
)


def create_server() -> grpc.aio.Server:
    """A gRPC server with the platform's limits."""
    return grpc.aio.server(options=_OPTIONS, maximum_concurrent_rpcs=MOST_CALLS)


def add_service(
    server: grpc.aio.Server, service: ServiceDescriptor, *, handlers: object, context: ServerContext
) -> None:
    """Serve `service` with the methods of `handlers`.

    Raises:
        TypeError: an RPC has no handler, or declares no access.
    """
    rpcs: dict[str, Bind] = {}
    arrays: dict[str, Bind] = {}
    for method in service.methods:
        handler = getattr(handlers, snake_case(method.name), None)
        if handler is None:
            raise TypeError(f"{type(handlers).__name__} has no handler for {method.full_name}")
        if rule_of(method).access == access_pb2.ACCESS_UNSPECIFIED:
            raise TypeError(f"{method.full_name} declares no access")
        check_printed(method)
        rpc = _Rpc(method, handler, context=context)
        rpcs[rpc.name] = rpc.bind
        if takes_json(method):
            rpcs[f"{rpc.name}{JSON_SUFFIX}"] = partial(rpc.bind, as_json=True)
        if is_array(method):
            arrays[rpc.name] = _Rpc(method, handler, context=context, as_array=True).bind
    server.add_generic_rpc_handlers((ServiceHandlers(rpcs, arrays),))


class _Rpc:
    """One RPC: its handler and the interceptors around it."""

    def __init__(
        self,
        method: MethodDescriptor,
        handler: Callable[[Any, Call], Any],
        *,
        context: ServerContext,
        as_array: bool = False,
    ) -> None:
        self._method = method
        self._handler: Callable[[Any, Call], Any] = (
            gather(take_call(handler)) if as_array else take_call(handler)
        )
        self._streams = method.server_streaming and not as_array
        self._context = context
        self._rule = rule_of(method)
        options = method.GetOptions().Extensions[access_pb2.rpc]
        self._success = options.success or 200
        self._creates = options.creates
        self._printed = options.printed or as_array
        self._listens = is_endless(method) and not self._rule.writes
        self.name = f"/{method.containing_service.full_name}/{method.name}"
        self._action = name_action(method)
        self._audited = self._rule.writes and self._rule.access != access_pb2.ACCESS_INTERNAL
        self._recording: set[asyncio.Task[None]] = set()
        self._is_duplex = method.client_streaming
        self._duplex = make_duplex(method, handler, context=context)
        self._response = message_factory.GetMessageClass(method.output_type)
        kind = message_factory.GetMessageClass(method.input_type)
        self._deserialize = partial(read_request, kind)
        self._deserialize_json = bind_reader(kind, method)

    def bind(self, metadata: Mapping[str, str], *, as_json: bool = False) -> grpc.RpcMethodHandler[Any, Any]:
        """The handler of one call, which was sent with this metadata, typed or with the JSON of REST."""
        if self._is_duplex:
            converse = observe_stream(partial(self._converse, metadata=metadata), metadata, method=self.name)
            return grpc.stream_stream_rpc_method_handler(converse, self._deserialize, serialize)
        deserialize: Any = self._deserialize_json if as_json else self._deserialize
        run: Any = partial(self._stream if self._streams else self._unary, metadata=metadata)
        if self._streams:
            run = observe_stream(run, metadata, method=self.name)
            return grpc.unary_stream_rpc_method_handler(run, deserialize, serialize)
        run = observe_unary(run, metadata, method=self.name, writes=self._rule.writes)
        return grpc.unary_unary_rpc_method_handler(run, deserialize, serialize)

    async def _unary(
        self, given: Given, context: Context, *, metadata: Mapping[str, str]
    ) -> Message | Rendered[Any]:
        call = self._new_call(context, metadata)
        if self._audited and isinstance(given, Message):
            call.audit_target = find_target(given)
            self._context.audit.expect(call, action=self._action)
        try:
            await self._context.admit(call, self._rule)
            request = check_request(given)
            with Deadline(limit_time(context.time_remaining())), self._context.calls.handling(call):
                response = await self._respond(request, call)
            if self._audited:
                await asyncio.shield(self._record_later(call, "OK"))
        except asyncio.CancelledError:  # the caller hung up; what was done is done, and recorded
            if self._audited:
                self._record_later(call, "CANCELLED")
            raise
        except Exception as error:  # noqa: BLE001 - every error becomes a status here
            await self._fail(error, call, context=context)
        await self._send_headers(call, context)
        return wrap_json(response) if call.form is Form.JSON else response

    async def _stream(
        self, given: Given, context: Context, *, metadata: Mapping[str, str]
    ) -> AsyncIterator[Message]:
        call = self._new_call(context, metadata)
        try:
            await self._context.admit(call, self._rule)
            request = check_request(given)
            with self._context.streams.hold(call):
                items = self._handler(request, call)
                async for item in end_with_server(items) if self._listens else items:
                    if not call.has_answered:
                        await self._send_headers(call, context)
                    else:
                        await self._context.guard.recheck(call)
                    yield item
                    if HEAD_HEADER in metadata:  # a HEAD request gets the headers alone
                        break
        except Exception as error:  # noqa: BLE001 - every error becomes a status here
            refusal = convert_failure(error, call)
            if call.has_answered and self._method.output_type.full_name == RAW_BODY:
                # HTTP has said 200 long before and shows no trailers: without this the stream would look complete.
                yield self._response(data=render_failure_frame(refusal))
            await self._fail(refusal, call, context=context)

    async def _converse(
        self, messages: AsyncIterator[Given], context: Context, *, metadata: Mapping[str, str]
    ) -> AsyncIterator[Message]:
        call = self._new_call(context, metadata)
        try:
            async with aclosing(self._duplex.run(call, messages)) as items:
                async for item in items:
                    if not call.has_answered:
                        await self._send_headers(call, context)
                    yield item
        except DomainError as refusal:
            await self._abort(refusal, call, context=context)

    def _new_call(self, context: Context, metadata: Mapping[str, str]) -> Call:
        peers, peer = self._context.peers, context.peer()
        name = peers.name(context)
        form = choose_form(metadata) if self._printed else Form.WIRE  # JSON for calls over REST
        if not peers.is_gateway(name, peer):
            metadata = drop_forwarded(metadata)
        call = Call(self.name, metadata, peer=peer, peer_name=name, form=form)
        call.secure_cookies = self._context.secure_cookies
        return call

    async def _respond(self, request: Message, call: Call) -> Message:
        key = call.metadata.get("idempotency-key", "") if self._creates else ""
        store = self._context.idempotency
        if not key or store is None:
            answer: Message = await self._handler(request, call)
            return answer
        call.request_id = request_id_of(name_principal(call.caller, call.address), self.name, key=key)
        claim = await store.claim(call.request_id, request.SerializeToString(deterministic=True))
        call.audit_id = claim.audit_id
        if (earlier := claim.answer) is not None:
            call.http_status, call.headers = earlier.http_status, list(earlier.headers)
            return self._response.FromString(earlier.message)
        try:
            response: Message = await self._handler(request, call)
        except DomainError:
            await store.release(claim, has_changed=has_committed())
            raise
        headers = tuple((name, value) for name, value in call.headers if name != "set-cookie")
        await store.answer(claim, RecordedResponse(response.SerializeToString(), call.http_status, headers))
        return response

    async def _send_headers(self, call: Call, context: Context) -> None:
        status = call.http_status or self._success
        headers = call.headers if status == 200 else [("x-http-code", str(status)), *call.headers]
        call.has_answered = True
        if headers:
            await context.send_initial_metadata(tuple(headers))

    async def _fail(self, error: Exception, call: Call, *, context: Context) -> NoReturn:
        refusal = convert_failure(error, call)
        if self._audited and not isinstance(refusal, TooManyCallsError):  # a flood would fill the log
            await self._record(call, name_code(code_of(refusal)))
        await self._abort(refusal, call, context=context)

    async def _abort(self, refusal: DomainError, call: Call, *, context: Context) -> NoReturn:
        status = render_status(refusal)
        if isinstance(refusal, UnauthenticatedError):
            call.add_header("www-authenticate", find_challenge(refusal))
        if refusal.retry_after is not None:
            call.add_header("retry-after", str(max(1, round(refusal.retry_after))))
        if call.headers and not call.has_answered:
            await context.send_initial_metadata(tuple(call.headers))
        rich = rpc_status.to_status(status)
        await context.abort(rich.code, rich.details, rich.trailing_metadata)
        raise AssertionError("unreachable")

    def _record_later(self, call: Call, outcome: str) -> asyncio.Task[None]:
        """Record a call in a task of its own, which goes on when the caller hangs up."""
        task = asyncio.create_task(self._record(call, outcome))
        self._recording.add(task)
        task.add_done_callback(self._recording.discard)
        return task

    async def _record(self, call: Call, outcome: str) -> None:
        try:
            await self._context.audit.record(call, action=self._action, outcome=outcome)
        except UnavailableError:  # a call that is accepted has its entry, or it is not accepted
            raise
        except Exception:
            log.exception("audit_lost", action=self._action, outcome=outcome)
