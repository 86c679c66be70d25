"""Protobuf <-> domain: input and output of terminals."""

from __future__ import annotations

from collections.abc import AsyncIterator

from proximity.inventory.v1 import container_service_pb2 as cs

from services.inventory.domain.terminals import Keystrokes, ScreenOutput


async def parse_keys(messages: AsyncIterator[cs.TerminalRequest]) -> AsyncIterator[Keystrokes]:
    """Parse the messages after the first one."""
    async for message in messages:
        yield Keystrokes(message.data, message.columns, message.rows)


def render_piece(piece: ScreenOutput) -> cs.TerminalResponse:
    """Render a piece of output."""
    return cs.TerminalResponse(data=piece.data, mode=piece.mode, exit_status=piece.exit_status)
