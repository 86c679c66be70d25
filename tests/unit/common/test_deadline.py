"""A handler has its time and no more, and what ends it is told apart from a caller that hangs up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.common.rpc.interceptors import deadline
from services.common.rpc.interceptors.deadline import (
    Deadline,
    ServerEndingError,
    end_listening,
    end_with_server,
)


@pytest.fixture(autouse=True, params=["timer", "watch"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "_FINE_S", 60.0 if request.param == "timer" else 0.0)
    monkeypatch.setattr(deadline, "_TICK_S", 0.01)


async def wait_within(seconds: float) -> None:
    with Deadline(seconds):
        await asyncio.Event().wait()


async def test_what_takes_longer_is_ended() -> None:
    results = await asyncio.gather(*[wait_within(0.03) for _ in range(3)], return_exceptions=True)
    assert [type(each) for each in results] == [TimeoutError] * 3


async def test_what_ends_in_time_is_left_alone() -> None:
    with Deadline(0.03):
        pass
    await asyncio.sleep(0.06)
    with Deadline(60):
        assert await asyncio.sleep(0, "done") == "done"


async def test_who_hangs_up_is_no_timeout() -> None:
    task = asyncio.create_task(wait_within(60))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_timeout_of_the_work_itself_stays_one() -> None:
    with pytest.raises(ValueError, match="its own"), Deadline(60):
        raise ValueError("its own")


async def test_an_endless_stream_ends_with_its_server_but_not_while_an_item_is_written() -> None:
    async def count() -> AsyncIterator[int]:
        for number in range(3):
            yield number
        await asyncio.Event().wait()

    stream = end_with_server(count())
    assert await anext(stream) == 0
    end_listening()
    assert await asyncio.sleep(0.02, "written") == "written"  # nothing was cancelled here
    with pytest.raises(ServerEndingError):
        await anext(stream)


async def test_an_endless_stream_that_waits_for_an_item_ends_with_its_server() -> None:
    waiting = asyncio.Event()

    async def wait() -> AsyncIterator[int]:
        yield 0
        waiting.set()
        await asyncio.Event().wait()

    async def read() -> None:
        async for _ in end_with_server(wait()):
            pass

    reading = asyncio.create_task(read())
    await waiting.wait()
    end_listening()
    with pytest.raises(ServerEndingError):
        await reading
