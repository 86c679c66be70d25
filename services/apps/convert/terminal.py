"""Protobuf <-> domain: input and output of terminals; protobuf <-> frames of their WebSockets."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

from proximity.apps.v1 import apps_service_pb2 as pb

from services.clients.inventory.terminals import TerminalKeys, TerminalPiece, TerminalSize
from services.common.core.errors import InvalidError, invalid_field

_SIZE = frozenset({"columns", "rows"})
_TOKEN = frozenset({"token"})


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


class TerminalFrames:
    """Messages of AttachTerminal as frames of a WebSocket."""

    def parse_opening(self, subject: str, query: Mapping[str, str]) -> pb.TerminalInput:
        """See `Dialect.parse_opening`."""
        return _parse_size({name: query[name] for name in _SIZE if name in query}, app_id=subject)

    def parse_frame(self, frame: bytes | str) -> pb.TerminalInput:
        """See `Dialect.parse_frame`."""
        if isinstance(frame, bytes):
            return pb.TerminalInput(data=frame)
        try:
            given = json.loads(frame)
        except ValueError:
            given = None
        if isinstance(given, dict) and set(given) == _TOKEN and isinstance(given["token"], str):
            return pb.TerminalInput(token=given["token"])
        if not isinstance(given, dict) or not set(given) <= _SIZE:
            raise InvalidError(
                'a text frame must be JSON like {"columns": 80, "rows": 24} or {"token": "…"}; what is typed is sent '
                "in binary frames"
            )
        return _parse_size(given)

    def render_frames(self, message: pb.TerminalOutput, *, is_first: bool) -> list[bytes | str]:
        """See `Dialect.render_frames`."""
        frames: list[bytes | str] = [json.dumps({"type": "attached"})] if is_first else []
        if message.data:
            frames.append(message.data)
        if message.HasField("exit_status"):
            frames.append(json.dumps({"type": "exit", "status": message.exit_status}))
        return frames


def _parse_size(given: Mapping[str, Any], *, app_id: str = "") -> pb.TerminalInput:
    sizes: dict[str, int] = {}
    for name, value in given.items():
        if isinstance(value, bool) or not re.fullmatch(r"\d{1,6}", str(value)):
            raise invalid_field(name, "must be a whole number from 1 to 1000")
        sizes[name] = int(value)
    return pb.TerminalInput(app_id=app_id, columns=sizes.get("columns"), rows=sizes.get("rows"))
