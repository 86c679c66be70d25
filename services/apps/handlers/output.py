"""Output of apps, once and as streams."""
# ruff: noqa: D102 - RPCs are documented in the proto, once

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from google.api import httpbody_pb2
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.convert import output as convert
from services.apps.events.feed import render_frame
from services.apps.events.stream import PING
from services.apps.handlers.base import BaseHandlers
from services.apps.usecases.output import get_app_output, stream_app_output, watch_app_output
from services.common.rpc.call import Call


class OutputHandlers(BaseHandlers):
    """Output of apps, once and as streams."""

    async def get_app_output(self, request: pb.GetAppOutputRequest, call: Call) -> pb.AppOutput:
        call.audit_target = request.app_id
        output = await get_app_output(
            self.dependencies.store,
            self.dependencies.containers,
            app_id=request.app_id,
            owner_filter=call.owner_filter,
            wanted=convert.parse_output_request(request),
        )
        call.add_header("cache-control", "no-store")
        return convert.render_output(output)

    async def watch_app_output(
        self, request: pb.WatchAppOutputRequest, call: Call
    ) -> AsyncIterator[httpbody_pb2.HttpBody]:
        call.audit_target = request.app_id
        followed = watch_app_output(
            self.dependencies.store,
            self.dependencies.containers,
            app_id=request.app_id,
            owner_filter=call.owner_filter,
            wanted=convert.parse_stream_request(request),
            last_event_id=call.metadata.get("last-event-id", ""),
        )
        # Closed with this generator: the place of a stream is free as soon as it has ended.
        with self.output_streams.hold(call.user.id):
            async with aclosing(followed) as lines:
                async for line in lines:
                    frame = (
                        render_frame(line.at, "line", data=convert.render_line(line))
                        if line is not None
                        else PING
                    )
                    yield httpbody_pb2.HttpBody(content_type="text/event-stream", data=frame)

    async def stream_app_output(
        self, request: pb.StreamAppOutputRequest, call: Call
    ) -> AsyncIterator[pb.OutputEvent]:
        call.audit_target = request.app_id
        followed = stream_app_output(
            self.dependencies.store,
            self.dependencies.containers,
            app_id=request.app_id,
            owner_filter=call.owner_filter,
            wanted=convert.parse_stream_request(request),
        )
        with self.output_streams.hold(call.user.id):
            async with aclosing(followed) as lines:
                async for line in lines:
                    yield convert.render_output_event(line)
