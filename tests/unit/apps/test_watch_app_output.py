"""WatchAppOutput: the output of an app as server-sent events."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncGenerator
from typing import cast

import pytest
from google.api import httpbody_pb2
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.usecases import output
from services.common.rpc.call import Call
from tests.fakes.app_output import line, prepare, say
from tests.fakes.apps_service import Service, call


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads follow one another at once."""
    for name, value in (("_SOON_S", 0.01), ("_LATE_S", 0.02), ("_PING_S", 0.1)):
        monkeypatch.setattr(output, name, value)


async def test_browsers_get_server_sent_events(service: Service) -> None:
    app_id = await prepare(service)
    say(service, line(2, "seen"), line(3, "new"))
    caller = call()
    resumed = Call("/x", {"last-event-id": "2026-11-30T12:00:02.000000005Z"}, caller=caller.caller)
    request = pb.WatchAppOutputRequest(app_id=app_id)
    async with contextlib.aclosing(
        cast("AsyncGenerator[httpbody_pb2.HttpBody]", service.api.watch_app_output(request, resumed))
    ) as frames:
        frame = (await anext(frames)).data.decode()
        head, kind, data, *_ = frame.split("\n")
        assert (head, kind) == ("id: 2026-11-30T12:00:03.000000005Z", "event: line")
        assert json.loads(data.removeprefix("data: "))["text"] == "new"
        assert (await anext(frames)).data == b": ping\n\n"
