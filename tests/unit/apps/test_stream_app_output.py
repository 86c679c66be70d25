"""StreamAppOutput: every line once, from whatever was seen last."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, cast

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.errors import AppNotFoundError, TooManyOutputStreamsError
from services.apps.usecases import output
from tests.fakes.app_output import line, prepare, say
from tests.fakes.apps_service import Service, call


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads follow one another at once."""
    for name, value in (("_SOON_S", 0.01), ("_LATE_S", 0.02), ("_PING_S", 0.1)):
        monkeypatch.setattr(output, name, value)


@contextlib.asynccontextmanager
async def stream(
    service: Service, app_id: str, **fields: Any
) -> AsyncIterator[AsyncIterator[pb.OutputEvent]]:
    request = pb.StreamAppOutputRequest(app_id=app_id, **fields)
    async with contextlib.aclosing(
        cast("AsyncGenerator[pb.OutputEvent]", service.api.stream_app_output(request, call()))
    ) as events:
        async with asyncio.timeout(60):
            yield events


async def take(events: AsyncIterator[pb.OutputEvent], count: int) -> list[str]:
    """The texts of the next lines, without keep-alive messages."""
    found: list[str] = []
    while len(found) < count:
        event = await anext(events)
        if event.HasField("line"):
            found.append(event.line.text)
    return found


async def test_each_line_comes_once_also_those_of_the_same_time(service: Service) -> None:
    app_id = await prepare(service)
    say(service, line(1, "one"), line(2, "two"))
    async with stream(service, app_id) as events:
        assert await take(events, 2) == ["one", "two"]
        say(service, line(2, "two"), line(2, "two again"), line(3, "three"))
        assert await take(events, 2) == ["two again", "three"]
        say(service, line(3, "three"), line(4, "four"))
        assert await take(events, 1) == ["four"]
    commands = [argv[-1] for argv in service.platform.containers.commands if "logs" in argv[-1]]
    assert "--since" not in commands[0]
    assert any("--since 2026-11-30T12:00:02.000000005Z" in one for one in commands)


async def test_a_stream_resumes_after_the_event_that_was_seen(service: Service) -> None:
    app_id = await prepare(service)
    say(service, line(2, "seen"), line(3, "new"))
    async with stream(service, app_id, last_event_id="2026-11-30T12:00:02.000000005Z") as events:
        assert await take(events, 1) == ["new"]
    # The id of another stream, or none at all: the stream begins anew, and nothing of it reaches a command.
    for bad in ("yesterday", "1; reboot", "2026-11-30"):
        async with stream(service, app_id, last_event_id=bad) as events:
            assert await take(events, 2) == ["seen", "new"]
    assert not any("reboot" in " ".join(argv) for argv in service.platform.containers.commands)


async def test_lines_without_times_come_once(service: Service) -> None:
    app_id = await prepare(service, runtime="adopted", adopted=True)
    say(service, "a", "b")
    async with stream(service, app_id) as events:
        assert await take(events, 2) == ["a", "b"]
        say(service, "b", "c")
        assert await take(events, 1) == ["c"]


async def test_a_stream_waits_while_the_app_is_stopped_and_ends_when_it_is_gone(service: Service) -> None:
    app_id = await prepare(service)
    say(service, line(1, "one"))
    containers = service.platform.containers
    async with stream(service, app_id) as events:
        assert await take(events, 1) == ["one"]
        await service.platform.act(app_id, "stop")
        await service.platform.run()
        assert not (await anext(events)).HasField("line"), "a sign of life"
        await service.platform.act(app_id, "start")
        await service.platform.run()
        say(service, line(1, "one"), line(9, "started"))
        assert await take(events, 1) == ["started"]
        await service.platform.act(app_id, "delete")
        await service.platform.run()
        assert containers.containers == {}
        with pytest.raises(AppNotFoundError):
            await take(events, 1)


async def test_a_user_has_five_streams_at_a_time(service: Service) -> None:
    app_id = await prepare(service)
    say(service, line(1, "one"))
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(5):
            await take(await stack.enter_async_context(stream(service, app_id)), 1)
        with pytest.raises(TooManyOutputStreamsError):
            await take(await stack.enter_async_context(stream(service, app_id)), 1)
    async with stream(service, app_id) as events:
        assert await take(events, 1) == ["one"]
