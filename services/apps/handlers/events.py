"""Events of one app, and of everything, as streams for browsers and for gRPC clients."""
# ruff: noqa: D102 - RPCs are documented in the proto, once

from __future__ import annotations

from collections.abc import AsyncIterator

from google.api import httpbody_pb2
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.events.stream import PING
from services.apps.handlers.base import BaseHandlers
from services.apps.usecases import events as usecases
from services.common.core.clock import now
from services.common.rpc.call import Call
from services.common.rpc.responses.rendered import render_time


class EventHandlers(BaseHandlers):
    """Events of one app, and of everything, as streams for browsers and for gRPC clients."""

    async def watch_app_events(
        self, request: pb.WatchAppEventsRequest, call: Call
    ) -> AsyncIterator[httpbody_pb2.HttpBody]:
        call.audit_target = request.app_id
        after = await usecases.watch_app_events(
            self.dependencies.store,
            request.app_id,
            owner_filter=call.owner_filter,
            last_event_id=call.metadata.get("last-event-id") or request.last_event_id,
        )
        async for event in self.watcher.follow(request.app_id, after=after):
            frame = event.frame if event is not None else PING
            yield httpbody_pb2.HttpBody(content_type="text/event-stream", data=frame)

    async def stream_app_events(
        self, request: pb.StreamAppEventsRequest, call: Call
    ) -> AsyncIterator[pb.AppEvent]:
        call.audit_target = request.app_id
        after = await usecases.stream_app_events(
            self.dependencies.store,
            request.app_id,
            owner_filter=call.owner_filter,
            last_event_id=request.last_event_id,
        )
        async for event in self.watcher.follow(request.app_id, after=after):
            yield event.event if event is not None else pb.AppEvent(timestamp=render_time(now()))

    async def watch_events(
        self, request: pb.WatchEventsRequest, call: Call
    ) -> AsyncIterator[httpbody_pb2.HttpBody]:
        after = usecases.watch_events(
            last_event_id=call.metadata.get("last-event-id") or request.last_event_id
        )
        async for event in self.hub.follow(owner=call.owner_filter, after=after):
            yield httpbody_pb2.HttpBody(content_type="text/event-stream", data=event.frame)

    async def stream_events(self, request: pb.StreamEventsRequest, call: Call) -> AsyncIterator[pb.Event]:
        after = usecases.stream_events(last_event_id=request.last_event_id)
        async for event in self.hub.follow(owner=call.owner_filter, after=after):
            yield event.event
