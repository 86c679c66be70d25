"""WatchAppEvents, StreamAppEvents, WatchEvents, StreamEvents: authorization of event streams, and the event that they begin with."""

from __future__ import annotations

from services.apps.domain.interfaces import AppStamps

_LONGEST_ID = 15  # digits: no stream of ours sends more, and more would not fit the column


async def watch_app_events(
    store: AppStamps, app_id: str, *, owner_filter: int | None, last_event_id: str
) -> int | None:
    """Return the id of the event that a stream of an app's events goes on after; None: from the status now.

    Raises:
        AppNotFoundError: there is no such app, or it is not the owner's.
    """
    await store.get_stamp(app_id, owner=owner_filter)
    return parse_event_id(last_event_id)


async def stream_app_events(
    store: AppStamps, app_id: str, *, owner_filter: int | None, last_event_id: str
) -> int | None:
    """Return the id of the event that a gRPC stream goes on after, as `watch_app_events` does for browsers.

    Raises:
        AppNotFoundError: there is no such app, or it is not the owner's.
    """
    return await watch_app_events(store, app_id, owner_filter=owner_filter, last_event_id=last_event_id)


def watch_events(*, last_event_id: str) -> int | None:
    """Return the id of the event that the stream of everything goes on after; None: from now on."""
    return parse_event_id(last_event_id)


def stream_events(*, last_event_id: str) -> int | None:
    """Return the id of the event that a gRPC stream goes on after, as `watch_events` does for browsers."""
    return watch_events(last_event_id=last_event_id)


def parse_event_id(text: str) -> int | None:
    """Return the number of a Last-Event-ID; None for an id that no stream of ours has sent."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _LONGEST_ID else None
