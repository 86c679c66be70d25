"""What users stay at: the event stream of an app, and a terminal in it."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

_WATCH_S = 3.0
_TYPE_S = 12.0  # a console that loses what is typed first is waited for
_OPEN_S = 10.0
_OF_REST = 4000  # closing codes of refused terminals are this and the status of REST
Answer = tuple[int, dict[str, Any]]


async def follow_events(http: httpx.AsyncClient, path: str, _: int) -> Answer:
    """Follow an event stream for some seconds; its status, and how many events there were of each kind."""
    counts: dict[str, Any] = {}
    status = 0
    try:
        async with (
            asyncio.timeout(_WATCH_S),
            http.stream("GET", path, headers={"Last-Event-ID": "0"}) as answer,
        ):
            status = answer.status_code
            if status != 200:
                return status, json.loads(await answer.aread())
            async for line in answer.aiter_lines():
                field, _separator, value = line.partition(": ")
                if field == "event":
                    counts[value] = counts.get(value, 0) + 1
                elif field == "data":
                    json.loads(value)
    except TimeoutError:
        return status, counts
    except (httpx.HTTPError, ValueError) as error:
        return 0, {"error": f"{type(error).__name__}: {error}"}
    return status, counts


async def use_terminal(http: httpx.AsyncClient, path: str, value: int) -> Answer:
    """Type into a terminal, and leave it by `exit` or without a word; 200 when it echoed, else the status of a refusal."""
    url = f"{http.base_url}".replace("http", "ws", 1).rstrip("/") + f"{path}?columns=80&rows=24"
    shown: dict[str, Any] = {"text": "", "frames": []}
    try:
        async with asyncio.timeout(_TYPE_S):
            socket = await connect(
                url,
                additional_headers={"Authorization": http.headers["Authorization"]},
                compression=None,
                open_timeout=_OPEN_S,
                close_timeout=2,
                proxy=None,
            )
            try:
                await _read_until(socket, shown, '"attached"')
                await socket.send(f"echo storm-$(({value} + 1))\r".encode())
                await _read_until(socket, shown, f"storm-{value + 1}")
                if value % 2:
                    await socket.send(b"exit\r")
                    await _read_until(socket, shown, '"exit"')
            finally:
                with suppress(ConnectionClosed, TimeoutError):
                    await socket.close()
    except ConnectionClosed as error:
        code = error.rcvd.code if error.rcvd else 0
        return (code - _OF_REST if code > _OF_REST else 0), shown
    except InvalidStatus as error:
        return error.response.status_code, {"error": (error.response.body or b"").decode(errors="replace")}
    except (InvalidHandshake, OSError, TimeoutError) as error:
        return 0, {**shown, "error": f"{type(error).__name__}: {error}"}
    return 200, shown


async def _read_until(socket: ClientConnection, shown: dict[str, Any], text: str) -> None:
    while text not in shown["text"] and not any(text in frame for frame in shown["frames"]):
        frame = await socket.recv()
        if isinstance(frame, bytes):
            shown["text"] += frame.decode(errors="replace")
        else:
            shown["frames"].append(frame)
