"""The events of one app as a stream, for browsers and for gRPC clients."""
# ruff: noqa: D102 - RPCs are documented in the proto, once

from __future__ import annotations

from collections.abc import AsyncIterator

from google.api import httpbody_pb2
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.handlers.base import BaseHandlers
from services.apps.handlers.event_stream import PING, parse_event_id
from services.common.core.clock import now
from services.common.core.timestamps import render_time
from services.common.rpc.call import Call


class EventHandlers(BaseHandlers):
    """The events of one app as a stream, for browsers and for gRPC clients."""

    async def watch_app_events(
        self, request: pb.WatchAppEventsRequest, call: Call
    ) -> AsyncIterator[httpbody_pb2.HttpBody]:
        app = await self._get(request.app_id, call)
        after = parse_event_id(call.metadata.get("last-event-id", ""))
        async for happening in self.watcher.follow(app.id, after=after):
            frame = happening.frame if happening is not None else PING
            yield httpbody_pb2.HttpBody(content_type="text/event-stream", data=frame)

    async def stream_app_events(
        self, request: pb.StreamAppEventsRequest, call: Call
    ) -> AsyncIterator[pb.AppEvent]:
        app = await self._get(request.app_id, call)
        async for happening in self.watcher.follow(app.id, after=parse_event_id(request.last_event_id)):
            yield (happening.event if happening is not None else pb.AppEvent(timestamp=render_time(now())))
