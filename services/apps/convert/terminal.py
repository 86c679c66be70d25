"""Protobuf <-> domain: input and output of terminals."""

from __future__ import annotations

from collections.abc import AsyncIterator

from proximity.apps.v1 import apps_service_pb2 as pb

from services.clients.inventory.terminals import TerminalKeys, TerminalPiece, TerminalSize


def parse_size(message: pb.TerminalInput) -> TerminalSize:
    """Parse the size of a terminal; 0 where it is left out."""
    return TerminalSize(message.columns, message.rows)


async def parse_keys(
    first: pb.TerminalInput, messages: AsyncIterator[pb.TerminalInput]
) -> AsyncIterator[TerminalKeys]:
    """Parse what is typed, with the first message or after it."""
    if first.data:
        yield TerminalKeys(first.data)
    async for message in messages:
        yield TerminalKeys(message.data, parse_size(message))


def render_piece(piece: TerminalPiece) -> pb.TerminalOutput:
    """Render a piece of output."""
    return pb.TerminalOutput(data=piece.data, exit_status=piece.exit_status)
