"""GetAppOutput, WatchAppOutput and StreamAppOutput: what an app itself wrote, read from its container."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from dataclasses import replace

from services.apps.domain.entities import App
from services.apps.domain.errors import TooManyOutputStreamsError
from services.apps.domain.interfaces import AppReads
from services.apps.domain.output import (
    MAX_BYTES,
    MOST_LINES,
    AppOutput,
    OutputLine,
    OutputRequest,
    check_service,
    find_source,
    make_read,
    parse_output,
)
from services.clients.inventory.errors import ContainerNotFoundError
from services.clients.inventory.interface import Containers
from services.clients.inventory.values import Ref
from services.common.core.errors import PreconditionError, UnavailableError

# The gateway waits 15 s for reads; a command in a container takes half a second on a real node.
_READ_S = 12.0
_SOON_S, _LATE_S = 2.0, 10.0  # between two reads of a stream: each starts a process on the node
_SLOWER = 1.5  # factor after each read that found nothing
_PING_S = 15.0  # proxies close connections that are silent for 30 or 60 s
_STREAMS = 5  # of one user: each has the node start a process every few seconds
_NANOSECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")


class OutputStreams:
    """Counts the streams of output of each user in this process."""

    def __init__(self, limit: int = _STREAMS) -> None:
        self._limit = limit
        self._open: Counter[int] = Counter()

    @contextmanager
    def hold(self, user_id: int) -> Iterator[None]:
        """Count a stream for as long as it lasts.

        Raises:
            TooManyOutputStreamsError: it would be one too many.
        """
        if self._open[user_id] >= self._limit:
            raise TooManyOutputStreamsError(
                f"{self._limit} streams of output are open; close one first", retry_after=5
            )
        self._open[user_id] += 1
        try:
            yield
        finally:
            self._open[user_id] -= 1


async def get_app_output(
    apps: AppReads, containers: Containers, *, app_id: str, owner_filter: int | None, wanted: OutputRequest
) -> AppOutput:
    """Return the last lines that an app wrote.

    Raises:
        AppNotFoundError: there is no such app, or it is not the owner's.
        ContainerNotFoundError: it has no container.
        InvalidError: its definition has no such service.
        NotAvailableError: nothing records its output, or it cannot be read.
        PreconditionError: its container does not run.
        UnavailableError: the host does not answer.
    """
    app = await apps.get_app(app_id, owner=owner_filter)
    return await _read(containers, app, wanted=wanted)


async def stream_app_output(
    apps: AppReads, containers: Containers, *, app_id: str, owner_filter: int | None, wanted: OutputRequest
) -> AsyncGenerator[OutputLine | None]:
    """Yield the last lines that an app wrote, then every further one; None is a sign of life.

    The first read refuses as `get_app_output`. Later ones wait until the app runs and its host answers again.

    Raises:
        AppNotFoundError: the app is gone; as `get_app_output`, at the beginning.
    """
    # A browser repeats the last id that it knows, also one of another stream.
    if wanted.since and not _NANOSECONDS.fullmatch(wanted.since):
        wanted = replace(wanted, since="")
    output = await get_app_output(apps, containers, app_id=app_id, owner_filter=owner_filter, wanted=wanted)
    progress, delay, sent_at = _Progress(wanted.since), _SOON_S, time.monotonic()
    while True:
        for line in (new := progress.take_new(output)):
            yield line
        delay = _SOON_S if new else min(delay * _SLOWER, _LATE_S)
        if new:
            sent_at = time.monotonic()
        elif time.monotonic() - sent_at >= _PING_S:
            yield None
            sent_at = time.monotonic()
        await asyncio.sleep(delay)
        try:
            if progress.since:
                wanted = replace(wanted, since=progress.since, tail=MOST_LINES)
            output = await get_app_output(
                apps, containers, app_id=app_id, owner_filter=owner_filter, wanted=wanted
            )
        except (PreconditionError, UnavailableError):
            # Stopped, restarting or on a host that is away: what it writes afterwards is shown.
            output = replace(output, lines=())


def watch_app_output(
    apps: AppReads,
    containers: Containers,
    *,
    app_id: str,
    owner_filter: int | None,
    wanted: OutputRequest,
    last_event_id: str = "",
) -> AsyncGenerator[OutputLine | None]:
    """Yield as `stream_app_output`, after the event that a browser names in its header, which has precedence."""
    resumed = replace(wanted, since=last_event_id or wanted.since)
    return stream_app_output(apps, containers, app_id=app_id, owner_filter=owner_filter, wanted=resumed)


class _Progress:
    """Lines of a stream that were sent; `since` is the time of the newest of them."""

    def __init__(self, since: str) -> None:
        self.since = since
        # A stream that resumes has seen the lines of that very time.
        self._resumed = since
        self._newest: set[OutputLine] = set()
        self._untimed: list[OutputLine] = []

    def take_new(self, output: AppOutput) -> list[OutputLine]:
        """Return the lines of a read that were not sent yet, and remember them."""
        timed = [line for line in output.lines if line.at]
        if not timed and output.lines:
            return self._take_untimed(list(output.lines))
        # A read begins with the time that the last one ended with.
        new = [
            line
            for line in output.lines
            if line not in self._newest and not (line.at and line.at == self._resumed)
        ]
        if timed and new:
            if timed[-1].at != self.since:
                self._newest = set()
            self.since = timed[-1].at
            self._newest |= {line for line in output.lines if line.at in {"", self.since}}
        return new

    def _take_untimed(self, lines: list[OutputLine]) -> list[OutputLine]:
        """Return the lines behind the longest end of the last read that this one begins with."""
        before, self._untimed = self._untimed, lines
        for size in range(min(len(before), len(lines)), 0, -1):
            if before[-size:] == lines[:size]:
                return lines[size:]
        return lines


async def _read(containers: Containers, app: App, *, wanted: OutputRequest) -> AppOutput:
    source = find_source(app)
    check_service(app, wanted.service)
    if app.vmid is None:
        raise ContainerNotFoundError(f"{app.id} has no container")
    pieces: list[str] = []

    async def collect(text: str) -> None:
        # The command ends at the limit by itself; what does not is not remembered.
        if sum(map(len, pieces)) <= MAX_BYTES:
            pieces.append(text)

    ref = Ref(app.host_id, app.vmid, app.node)
    try:
        async with asyncio.timeout(_READ_S):
            await containers.exec(
                ref, owner=app.id, argv=make_read(source, wanted), on_text=collect, stall_s=int(_READ_S)
            )
    except TimeoutError:
        raise UnavailableError(
            f"the container of {app.id} did not answer within {_READ_S:.0f} s", retry_after=5
        ) from None
    return parse_output(app, source, text="".join(pieces), wanted=wanted)
