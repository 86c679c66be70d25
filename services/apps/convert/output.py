"""Messages about the output of apps."""

from __future__ import annotations

from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.output import DEFAULT_LINES, AppOutput, OutputLine, OutputRequest
from services.common.rpc.responses.rendered import render_time


def parse_output_request(request: pb.GetAppOutputRequest) -> OutputRequest:
    """Parse which lines are requested."""
    since = request.since.ToJsonString() if request.HasField("since") else ""
    return OutputRequest(service=request.service, tail=request.tail or DEFAULT_LINES, since=since)


def parse_stream_request(request: pb.WatchAppOutputRequest | pb.StreamAppOutputRequest) -> OutputRequest:
    """Parse which lines a stream begins with."""
    return OutputRequest(
        service=request.service, tail=request.tail or DEFAULT_LINES, since=request.last_event_id
    )


def render_output(output: AppOutput) -> pb.AppOutput:
    """Render lines that an app wrote."""
    return pb.AppOutput(
        app_id=output.app_id,
        source=output.source,
        services=output.services,
        lines=[render_line(line) for line in output.lines],
        truncated=output.is_truncated,
    )


def render_line(line: OutputLine) -> pb.OutputLine:
    """Render a line."""
    time = render_time(line.time) if line.time is not None else None
    return pb.OutputLine(time=time, service=line.service, text=line.text)


def render_output_event(line: OutputLine | None) -> pb.OutputEvent:
    """Render a line of a stream; None is a sign of life."""
    return pb.OutputEvent() if line is None else pb.OutputEvent(id=line.at, line=render_line(line))
