"""The stream of an app's events on both databases: nothing is missed, nothing told twice, whoever listens when."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator

import pytest

from services.apps.domain.changes import AddLog, ChangeApp, RemoveApp
from services.apps.domain.errors import AppNotFoundError
from services.apps.events.feed import StreamedEvent
from services.apps.events.stream import Hints, Watcher
from services.apps.usecases.events import parse_event_id
from services.common.db.database import Database
from services.common.messaging.bus import Bus
from tests.fakes.apps_platform import Platform, platform  # noqa: F401 - a fixture
from tests.store.apps_db import db  # noqa: F401 - fixture
from tests.store.nats_server import nats  # noqa: F401 - a fixture

LIMIT_S = 300.0


@pytest.fixture
async def watcher(platform: Platform) -> AsyncIterator[Watcher]:  # noqa: F811 - fixtures
    """Without NATS: every hint is lost."""
    watcher = Watcher(platform.store, Bus("nats://127.0.0.1:1", name="test"), ping_s=0.05, pulse_s=0.1)
    running = asyncio.create_task(watcher.run())
    yield watcher
    running.cancel()


async def listen(
    watcher: Watcher, app_id: str, *, after: int | None, until: str, taken: int = 10_000
) -> list[StreamedEvent]:
    """Follow until an event whose text holds `until`, or for so many."""
    found: list[StreamedEvent] = []
    async with asyncio.timeout(LIMIT_S), contextlib.aclosing(watcher.follow(app_id, after=after)) as stream:
        async for happening in stream:
            if happening is not None:
                found.append(happening)
            if (happening and until in str(happening.event)) or len(found) >= taken:
                return found
    raise AssertionError(f"the stream ended without {until}")


async def hear_line(stream: AsyncGenerator[StreamedEvent | None, None]) -> str:
    async with asyncio.timeout(LIMIT_S), contextlib.aclosing(stream):
        async for happening in stream:
            if happening is not None and happening.event.HasField("log"):
                return happening.event.log.message
    raise AssertionError("the stream ended")


def lines_of(happenings: list[StreamedEvent]) -> list[str]:
    return [h.event.log.message for h in happenings if h.event.HasField("log")]


def statuses_of(happenings: list[StreamedEvent]) -> list[str]:
    return [h.event.status.status for h in happenings if h.event.HasField("status")]


async def test_a_listener_hears_every_status_between_two_readings(
    platform: Platform,  # noqa: F811 - fixtures
    watcher: Watcher,
) -> None:
    app = await platform.deploy()
    await platform.run()
    heard: list[StreamedEvent] = []
    async with asyncio.timeout(LIMIT_S), contextlib.aclosing(watcher.follow(app.id, after=None)) as stream:
        first = await anext(stream)
        for status in ("stopping", "stopped", "starting", "running"):
            await platform.store.change(ChangeApp(app.id, {"status": status}))
        await platform.store.change(AddLog(app.id, "the end", "info", ""))
        async for happening in stream:
            heard += [happening] if happening else []
            if lines_of(heard) and statuses_of(heard)[-1:] == ["running"]:
                break
    assert first is not None
    assert statuses_of([first]) == ["running"]
    assert statuses_of(heard) == ["stopping", "stopped", "starting", "running"]
    again = statuses_of(await listen(watcher, app.id, after=first.number, until="running"))
    assert again == ["stopping", "stopped", "starting", "running"]


async def test_hints_reach_the_listeners_of_every_replica(
    platform: Platform,  # noqa: F811 - fixtures
    nats: str,  # noqa: F811 - fixtures
) -> None:
    """Their pulse is too slow for this test: what they hear, NATS has told them."""
    app = await platform.deploy()
    buses = [Bus(nats, name=f"replica-{n}") for n in range(3)]
    hints = Hints(buses[2])
    watchers = [Watcher(platform.store, bus, pulse_s=600) for bus in buses[:2]]
    for bus in buses:
        bus.start()
        assert await bus.wait_connected(timeout=LIMIT_S)
    tasks = [asyncio.create_task(work) for work in (hints.run(), *(each.run() for each in watchers))]
    streams = [watcher.follow(app.id, after=None) for watcher in watchers]
    for stream in streams:
        assert await anext(stream)
    heard = [asyncio.create_task(hear_line(stream)) for stream in streams]
    await platform.store.change(AddLog(app.id, "the end", "info", ""))
    async with asyncio.timeout(LIMIT_S):
        while not all(task.done() for task in heard):
            hints.notify(app.id)  # again: who subscribed a moment too late missed the first
            await asyncio.wait(heard, timeout=0.1)
    assert [task.result() for task in heard] == ["the end", "the end"]
    for task in tasks:
        task.cancel()
    for bus in buses:
        await bus.close()


async def test_resuming_after_any_event_misses_none_and_repeats_none(
    platform: Platform,  # noqa: F811 - fixtures
    watcher: Watcher,
) -> None:
    app = await platform.deploy()
    await platform.run()
    await platform.store.change(AddLog(app.id, "the end", "info", ""))
    whole = lines_of(await listen(watcher, app.id, after=0, until="the end"))
    heard: list[str] = []
    last = 0
    while "the end" not in heard:
        part = await listen(watcher, app.id, after=last, until="the end", taken=3)
        heard += lines_of(part)
        last = part[-1].number
    assert heard == whole
    assert len(heard) >= 10


async def test_a_long_history_comes_whole_and_in_order(
    platform: Platform,  # noqa: F811 - fixtures
    watcher: Watcher,
) -> None:
    app = await platform.deploy()
    await platform.store.change(*(AddLog(app.id, f"line {n}", "info", "") for n in range(450)))
    heard = asyncio.create_task(listen(watcher, app.id, after=0, until="line 899"))
    await platform.store.change(*(AddLog(app.id, f"line {n}", "info", "") for n in range(450, 900)))
    assert lines_of(await heard) == [f"line {n}" for n in range(900)]


async def test_a_slow_listener_reads_again_what_its_queue_could_not_hold(
    platform: Platform,  # noqa: F811 - fixtures
    watcher: Watcher,
) -> None:
    app = await platform.deploy()
    heard: list[StreamedEvent] = []
    async with (
        asyncio.timeout(LIMIT_S),
        contextlib.aclosing(watcher.follow(app.id, after=None)) as slow,
    ):
        assert await anext(slow)
        await platform.store.change(*(AddLog(app.id, f"line {n}", "info", "") for n in range(700)))
        await listen(watcher, app.id, after=None, until="", taken=1)
        fast = await listen(watcher, app.id, after=0, until="line 699")
        async for happening in slow:
            heard += [happening] if happening else []
            if heard and lines_of(heard[-1:]) == ["line 699"]:
                break
    assert lines_of(heard) == lines_of(fast) == [f"line {n}" for n in range(700)]


async def test_a_quiet_app_gives_signs_of_life(platform: Platform, watcher: Watcher) -> None:  # noqa: F811 - fixtures
    app = await platform.deploy()
    async with asyncio.timeout(LIMIT_S), contextlib.aclosing(watcher.follow(app.id, after=None)) as stream:
        assert (await anext(stream)) is not None
        assert (await anext(stream)) is None


async def test_a_removal_ends_every_stream_also_when_its_hint_is_lost(
    platform: Platform,  # noqa: F811 - fixtures
    watcher: Watcher,
) -> None:
    app = await platform.deploy()
    streams = [asyncio.create_task(listen(watcher, app.id, after=0, until="removed")) for _ in range(3)]
    await asyncio.sleep(0)
    await platform.store.change(RemoveApp(app.id))
    for heard in await asyncio.gather(*streams, return_exceptions=True):
        if isinstance(heard, BaseException):  # it came after the removal
            assert isinstance(heard, AppNotFoundError)
        else:
            assert heard[-1].event.removed.status == "removed"
    with pytest.raises(AppNotFoundError):
        await listen(watcher, app.id, after=None, until="never")


async def test_the_events_of_an_app_commit_in_the_order_of_their_numbers(
    platform: Platform,  # noqa: F811 - fixtures
    db: Database,  # noqa: F811 - fixtures
) -> None:
    """A listener that has seen an id never misses a smaller one that was committed later."""
    if db.is_sqlite:  # one writer at a time: the order is the database's own
        assert (await platform.store.list_touched(after=0))[1] == {}
        return
    app = await platform.deploy()
    with db.engine.connect() as slow:
        platform.store.apply(slow, AddLog(app.id, "first", "info", ""))
        other = asyncio.create_task(platform.store.change(AddLog(app.id, "second", "info", "")))
        done, _ = await asyncio.wait({other}, timeout=0.3)
        assert not done
        slow.commit()
    await other
    rows = await platform.store.list_events(app.id, after=0)
    assert [row.message for row in rows if row.kind == "log"] == ["first", "second"]


def test_only_our_own_event_ids_count() -> None:
    assert parse_event_id("41") == 41
    assert [parse_event_id(text) for text in ("", "-1", "x", "٣", "1" * 16)] == [None] * 5
