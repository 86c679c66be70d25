"""RPCs of ContainerService that run something in a container: commands, files, terminals."""
# ruff: noqa: D102 - RPCs are documented in the proto, once

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from google.protobuf import empty_pb2
from proximity.inventory.v1 import container_service_pb2 as cs

from services.common.rpc.call import Call
from services.common.rpc.handlers import read_first
from services.inventory.convert import terminals as convert
from services.inventory.convert.containers import parse_ref, render_output
from services.inventory.domain.interfaces import ContainerAccess
from services.inventory.domain.terminals import ScreenSize, TerminalOpener
from services.inventory.proxmox.containers import ContainerLookup
from services.inventory.usecases import guests
from services.inventory.usecases.attach_terminal import attach_terminal


class GuestHandlers:
    """The part of ContainerService that runs commands, writes files and opens terminals."""

    _containers: ContainerLookup
    _access: ContainerAccess
    _terminals: TerminalOpener

    async def exec(self, request: cs.ExecRequest, _call: Call) -> AsyncIterator[cs.ExecOutput]:
        pieces = guests.exec(
            self._containers,
            self._access,
            ref=parse_ref(request.container),
            owner=request.owner,
            argv=list(request.argv),
            stdin=request.stdin,
            stall_s=request.stall_timeout_s,
            timeout_s=request.timeout_s,
        )
        async for piece in pieces:
            yield render_output(piece)

    async def push_file(self, request: cs.PushFileRequest, _call: Call) -> empty_pb2.Empty:
        await guests.push_file(
            self._containers,
            self._access,
            ref=parse_ref(request.container),
            owner=request.owner,
            path=request.path,
            content=request.content,
            mode=request.mode,
        )
        return empty_pb2.Empty()

    async def attach_terminal(
        self, messages: AsyncIterator[cs.TerminalRequest], _call: Call
    ) -> AsyncIterator[cs.TerminalResponse]:
        first = await read_first(messages)
        pieces = attach_terminal(
            self._containers,
            self._terminals,
            ref=parse_ref(first.container),
            owner=first.owner,
            size=ScreenSize().change(first.columns, first.rows),
            is_busy=first.busy,
            keys=convert.parse_keys(messages),
        )
        async with aclosing(pieces):
            async for piece in pieces:
                yield convert.render_piece(piece)
