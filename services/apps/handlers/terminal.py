"""Terminals in the containers of apps."""
# ruff: noqa: D102 - RPCs are documented in the proto, once

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.convert import terminal as convert
from services.apps.handlers.base import BaseHandlers
from services.apps.usecases.attach_terminal import attach_terminal
from services.common.rpc.call import Call
from services.common.rpc.handlers import read_first


class TerminalHandlers(BaseHandlers):
    """Terminals in the containers of apps."""

    async def attach_terminal(
        self, messages: AsyncIterator[pb.TerminalInput], call: Call
    ) -> AsyncIterator[pb.TerminalOutput]:
        first = await read_first(messages)
        call.audit_target = first.app_id
        pieces = attach_terminal(
            self.dependencies.store,
            self.terminals,
            app_id=first.app_id,
            owner_filter=call.owner_filter,
            size=convert.parse_size(first),
            keys=convert.parse_keys(first, messages),
        )
        async with aclosing(pieces):
            async for piece in pieces:
                yield convert.render_piece(piece)
