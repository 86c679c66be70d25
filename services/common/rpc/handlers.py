"""Handlers of a server: their lookup, those of bidirectional RPCs, and what their errors become.

A handler is looked up together with its call's metadata: grpc makes a tuple of every header, and once is enough.
"""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import os
import re
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from typing import Any, TypeVar

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from proximity.common.v1 import access_pb2

from services.common.core.errors import DomainError, InvalidError, UnavailableError
from services.common.core.log import get_logger
from services.common.core.parsing import Patch
from services.common.core.telemetry.tracing import current_trace_id, report_error
from services.common.rpc.call import Call
from services.common.rpc.interceptors.authorization import Rule, rule_of
from services.common.rpc.interceptors.deadline import Deadline, DeadlineExceededError
from services.common.rpc.interceptors.validation import Given, check_request
from services.common.rpc.responses.rendered import Form, choose_form
from services.common.rpc.server_context import ServerContext, TooManyCallsError
from services.common.rpc.status import InternalError, code_of, name_code

log = get_logger()
PatchT = TypeVar("PatchT", bound=Patch)

Bind = Callable[[Mapping[str, str]], "grpc.RpcMethodHandler[Any, Any]"]


class ServiceHandlers(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # generic for its stubs alone
    """The handlers of a service by path, each made for its call's metadata.

    Args:
        rpcs: of every RPC.
        arrays: of the streams that REST shows as arrays, for calls that ask for JSON.
    """

    def __init__(self, rpcs: Mapping[str, Bind], arrays: Mapping[str, Bind]) -> None:
        self._rpcs = rpcs
        self._arrays = arrays

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        """The handler of a call, or None."""
        bind = self._rpcs.get(details.method)
        if bind is None:
            return None
        metadata = name_metadata(details.invocation_metadata or ())
        array = self._arrays.get(details.method)
        if array is not None and choose_form(metadata) is Form.JSON:
            bind = array
        return bind(metadata)


def name_metadata(sent: Any) -> dict[str, str]:
    """Metadata by name, as grpc gives it: the last of those that are sent more than once, but every cookie."""
    metadata = {each[0]: each[1] for each in sent}  # a third of dict(sent), which makes a list of each
    if "cookie" in metadata:  # HTTP/2 may send cookies one by one
        metadata["cookie"] = "; ".join(each[1] for each in sent if each[0] == "cookie")
    return metadata


def take_call(handler: Callable[..., Any]) -> Callable[[Any, Call], Any]:
    """Return a handler that takes a call, also where the given one takes the request alone."""
    if len(inspect.signature(handler).parameters) > 1:
        return handler
    return lambda request, _: handler(request)


def parse_patch(
    request: Message, kind: type[PatchT], *, names: Mapping[str, str] | None = None, **parsed: Any
) -> PatchT:
    """Parse the changes that a request names: its fields with presence, and lists that are not empty.

    Args:
        request: has a field for each attribute of the patch.
        kind: of the patch.
        names: fields of another name than their attribute's, by attribute.
        parsed: attributes that are no fields as they came; None for those that the request leaves out.
    """
    given = {field.name: value for field, value in request.ListFields()}
    attributes = {each.name for each in dataclasses.fields(kind)} - parsed.keys()
    fields = {name: (names or {}).get(name, name) for name in attributes}
    if unknown := set(fields.values()).difference(request.DESCRIPTOR.fields_by_name):
        raise ValueError(f"{request.DESCRIPTOR.full_name} has no field {', '.join(sorted(unknown))}")
    return kind(**{name: given[field] for name, field in fields.items() if field in given}, **parsed)


def snake_case(name: str) -> str:
    """DeployApp -> deploy_app."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def convert_failure(error: Exception, call: Call) -> DomainError:
    """Return the refusal that an error of a handler becomes; one that is not expected is reported and logged."""
    if isinstance(error, DomainError):
        return error
    if isinstance(error, TimeoutError):
        return DeadlineExceededError("the work took longer than the caller would wait")
    trace_id = current_trace_id() or uuid.uuid4().hex
    user = call.caller.user
    who = (user.id, user.username) if user else None
    report_error(error, where=call.method, user=who, request_id=call.request_id)
    log.error("rpc_failed", method=call.method, trace_id=trace_id, request=call.request_id, exc_info=error)
    sentence = f"internal error; the log has more under {trace_id}"
    return InternalError(sentence, metadata={"trace_id": trace_id})


# Between two checks of the credentials of a stream on which nothing moves: a revocation ends it within that time.
RECHECK_S = 5.0

_TOKEN = "token"  # noqa: S105 - the field of messages that bring newer credentials

M = TypeVar("M")
Handler = Callable[[AsyncIterator[Any], Call], AsyncIterator[Any]]


class Duplex:
    """One bidirectional RPC: authorization, limits, checks of every message, audit of its begin and its end.

    Args:
        handler: see the module.
        rule: the access that the RPC declares.
        action: name of the audit entries, `apps.AttachTerminal`; empty where calls are not audited.
        context: of the server.
    """

    def __init__(self, handler: Handler, *, rule: Rule, action: str, context: ServerContext) -> None:
        self._handler = handler
        self._rule = rule
        self._action = action
        self._context = context
        self._recording: set[asyncio.Task[None]] = set()

    async def run(self, call: Call, messages: AsyncIterator[Given]) -> AsyncGenerator[Message, None]:
        """Answer a call whose messages are `messages`.

        The credentials are checked again with every message in either direction, and while nothing moves. One task has to
        read all answers, as that task is what the end of the credentials cancels.

        Raises:
            DomainError: the call is refused, or ended before its time.
        """
        opened: float | None = None
        try:
            await self._context.admit(call, self._rule)
            with self._context.streams.hold(call), Deadline(None) as deadline:
                watch = asyncio.ensure_future(self._watch(call, deadline))
                try:
                    items: Any = self._handler(self._read(call, messages, deadline=deadline), call)
                    async with aclosing(items):
                        async for item in items:
                            if opened is None:
                                await self._record(call, "OK")
                                opened = time.monotonic()
                            else:
                                await self._context.guard.recheck(call)
                            deadline.defer()  # see `end_with_server`
                            yield item
                            deadline.resume()
                finally:
                    watch.cancel()
        except Exception as error:
            refusal = convert_failure(error, call)
            self._record_end(call, opened, refusal=refusal)
            if refusal is error:
                raise
            raise refusal from error
        except BaseException:  # the caller left
            self._record_end(call, opened, refusal=None)
            raise
        self._record_end(call, opened, refusal=None)

    async def _read(
        self, call: Call, messages: AsyncIterator[Given], *, deadline: Deadline
    ) -> AsyncIterator[Message]:
        """Pass on the messages of a caller whose credentials still count; else the stream ends before they are used."""
        try:
            async for given in messages:
                await self._context.guard.recheck(call)
                message = check_request(given)
                if not await self._renew(call, message):
                    yield message
        except DomainError as error:
            deadline.end(error)
            await (
                asyncio.Event().wait()
            )  # an end of the messages would be another reason, and might come first

    async def _renew(self, call: Call, message: Message) -> bool:
        """Take newer credentials out of a message; whether there is nothing else in it.

        The handler does not see them, so that they count neither as something typed nor reach a log.
        """
        token: str = getattr(message, _TOKEN, "")
        if not token:
            return False
        await self._context.guard.renew(call, self._rule, token=token)
        message.ClearField(_TOKEN)
        return message.ByteSize() == 0

    async def _watch(self, call: Call, deadline: Deadline) -> None:
        while True:
            await asyncio.sleep(RECHECK_S)
            try:
                await self._context.guard.recheck(call)
            except DomainError as error:
                deadline.end(error)

    def _record_end(self, call: Call, opened: float | None, *, refusal: DomainError | None) -> None:
        """Record the end in a task of its own, which goes on when the caller hangs up."""
        if opened is None and (refusal is None or isinstance(refusal, TooManyCallsError)):
            return  # nothing began, or a flood would fill the log
        if opened is not None:
            call.audit_target += f", ended after {time.monotonic() - opened:.0f} s"
        outcome = "OK" if refusal is None else name_code(code_of(refusal))
        call.audit_id = os.urandom(16).hex()  # the entry of the begin has the one before
        task = asyncio.ensure_future(self._record_late(call, outcome))
        self._recording.add(task)
        task.add_done_callback(self._recording.discard)

    async def _record_late(self, call: Call, outcome: str) -> None:
        try:
            await self._record(call, outcome)
        except UnavailableError:
            log.exception("audit_lost", action=self._action, outcome=outcome)

    async def _record(self, call: Call, outcome: str) -> None:
        """Record a call.

        Raises:
            UnavailableError: the entry of an accepted call cannot be written, so the call is not accepted.
        """
        if self._action:
            await self._context.audit.record(call, action=self._action, outcome=outcome)


def make_duplex(method: MethodDescriptor, handler: Any, *, context: ServerContext) -> Duplex:
    """Put the interceptors around the handler of a bidirectional RPC."""
    rule = rule_of(method)
    is_audited = rule.writes and rule.access != access_pb2.ACCESS_INTERNAL
    return Duplex(handler, rule=rule, action=name_action(method) if is_audited else "", context=context)


def name_action(method: MethodDescriptor) -> str:
    """Return the name of an RPC's audit entries, `apps.DeployApp`."""
    return f"{method.containing_service.full_name.split('.')[1]}.{method.name}"


async def read_first(messages: AsyncIterator[M]) -> M:
    """Return the first message of a stream, which names its subject.

    Raises:
        InvalidError: there is none.
    """
    async for message in messages:
        return message
    raise InvalidError("the stream has ended before its first message, which names what it is about")
