"""Collection of a source's icons and screenshots, so that browsers load them from this platform only."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlsplit

from services.catalog.domain.entities import Item
from services.catalog.domain.errors import SourceFetchError
from services.catalog.domain.interfaces import PictureFetcher, PictureStore
from services.catalog.domain.pictures import FILES, InvalidPictureError, list_pictures, parse_picture
from services.common.core.clock import Clock, now

MAX_TOTAL = 96 * 1024 * 1024  # bytes of all pictures of a source, which are rows of the database
_AT_ONCE = 4  # requests beside each other, so that a slow host delays only its own pictures
_DEADLINE_S = 300.0  # of a collection; the rest comes with the next fetch of the source
_RETRY = timedelta(hours=20)  # a picture that failed is requested again with the next daily fetch
_MAX_FAILURES = 5  # in a row: the host is down, and its other pictures wait for the next fetch


@dataclass
class _Round:
    """One collection: bytes so far, and failures in a row by host."""

    size: int
    failures: dict[str, int] = field(default_factory=dict)


async def collect_pictures(
    store: PictureStore,
    fetcher: PictureFetcher,
    *,
    source: str,
    items: Sequence[Item],
    files: Mapping[str, bytes],
    clock: Clock = now,
) -> None:
    """Store the pictures of items that are not stored yet, and remove those of items that are gone.

    A picture that cannot be read, or is no picture, is recorded and requested again a day later; the others are not
    affected.
    """
    wanted = list_pictures(items)
    await store.remove_others(source, wanted.keys())
    known = await store.list_known(source, failed_after=clock() - _RETRY)
    # Files of the source are compared again at each fetch: reading them costs nothing.
    missing = [location for location in wanted if location.startswith(FILES) or location not in known]
    places, state = asyncio.Semaphore(_AT_ONCE), _Round(sum(known.values()))

    async def collect(location: str) -> None:
        async with places:
            await _collect_one(
                store,
                fetcher,
                source=source,
                location=location,
                limit=wanted[location],
                files=files,
                state=state,
            )

    try:
        async with asyncio.timeout(_DEADLINE_S), asyncio.TaskGroup() as group:
            for location in missing:
                group.create_task(collect(location))
    except TimeoutError:  # the rest is collected with the next fetch
        return


async def _collect_one(
    store: PictureStore,
    fetcher: PictureFetcher,
    *,
    source: str,
    location: str,
    limit: int,
    files: Mapping[str, bytes],
    state: _Round,
) -> None:
    host = urlsplit(location).hostname or ""
    if state.size > MAX_TOTAL or state.failures.get(host, 0) >= _MAX_FAILURES:
        return
    try:
        if location.startswith(FILES):
            content = files.get(location.removeprefix(FILES), b"")
        else:
            content = await fetcher.fetch_picture(location, limit=limit)
            state.failures[host] = 0
        picture = parse_picture(content, limit=limit)
    except SourceFetchError as error:
        state.failures[host] = state.failures.get(host, 0) + 1
        await store.set_picture(source, location, picture=None, error=error.message)
    except InvalidPictureError as error:
        await store.set_picture(source, location, picture=None, error=str(error))
    else:
        state.size += len(picture.content)
        await store.set_picture(source, location, picture=picture)
