"""A bidirectional RPC around a shell in memory, with its audit log and its revocations."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from proximity.apps.v1 import apps_service_pb2 as pb

from services.common.core.errors import NotFoundError
from services.common.identity.tokens import Caller, Revocations, TokenVerifier, User
from services.common.rpc.call import Call
from services.common.rpc.handlers import Duplex, make_duplex, read_first
from services.common.rpc.interceptors.authorization import Guard
from services.common.rpc.server_context import Peers, ServerContext, Streams

METHOD = pb.DESCRIPTOR.services_by_name["AppsService"].methods_by_name["AttachTerminal"]


class FakeAudit:
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


class FakeShell:
    """A handler that repeats what is typed."""

    def __init__(self) -> None:
        self.typed: list[bytes] = []
        self.has_typed = asyncio.Event()
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
                self.has_typed.set()
                if message.data == b"boom":
                    raise RuntimeError("hunter2")
                yield pb.TerminalOutput(data=message.data)
            await asyncio.Event().wait()
        finally:
            self.is_open = False


class DuplexWorld:
    """One server, its audit log and its revocations."""

    def __init__(self, *, by_certificate: bool = False) -> None:
        self.shell, self.audit, self.revocations = FakeShell(), FakeAudit(), Revocations()
        self.streams = Streams(2)

        async def authenticate(token: str) -> Caller:
            scopes = ("read",) if token == "prx_read" else ("read", "write")
            user = User(8 if token == "prx_bob" else 7, "alice", is_staff=False, scopes=scopes)
            return Caller(user=user, token_id=token, issued_at=time.time() - 1, expires_at=time.time() + 60)

        async def find_key(_kid: str) -> None:
            return None

        verifier = TokenVerifier("apps", {}, find_key, self.revocations, authenticate)
        context = ServerContext(
            guard=Guard(verifier),
            audit=self.audit,
            peers=Peers(by_certificate=by_certificate),
            streams=self.streams,
        )
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
