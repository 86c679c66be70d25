"""The live events of an app as curl sees them: whole, resumable, and honest about their end."""

from __future__ import annotations

import json
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import requests
from proximity.apps.v1.apps_service_pb2 import AppEvent, StreamAppEventsRequest
from proximity.apps.v1.apps_service_pb2_grpc import AppsServiceStub

from deploy.local import specs
from deploy.local.api import Api
from deploy.local.nats import list_nats_urls
from deploy.local.settings import LocalSettings
from services.common.core.config import read_settings
from tests.e2e.stack import PASSWORD, STOP_S, USERNAME, RunningStack, find_port, make_environment

LIMIT_S = 300.0
Frame = dict[str, str]


def sign_in(stack: RunningStack) -> str:
    body = {"username": USERNAME, "password": PASSWORD}
    return str(requests.post(f"{stack.url}/api/auth/login", json=body, timeout=30).json()["access"])


class Curl:
    """`curl -N` on the events of an app."""

    def __init__(self, stack: RunningStack, app_id: str, token: str, *, after: str = "") -> None:
        resume = ["-H", f"Last-Event-ID: {after}"] if after else []
        command = [
            "curl",
            "-sSN",
            "--max-time",
            str(LIMIT_S),
            "-H",
            f"Authorization: Bearer {token}",
            *resume,
        ]
        self.process = subprocess.Popen(
            [*command, f"{stack.url}/api/apps/{app_id}/events"], stdout=subprocess.PIPE, text=True
        )

    def read_until(self, text: str) -> list[Frame]:
        """Frames up to the one that holds `text`; all when there is none."""
        assert self.process.stdout is not None
        frames: list[Frame] = [{}]
        for line in self.process.stdout:
            name, _, value = line.rstrip("\n").partition(": ")
            if name:
                frames[-1][name] = value
                continue
            if text in frames[-1].get("data", "") or text == frames[-1].get("event"):
                return frames
            frames.append({})
        return frames[:-1]

    def end(self) -> int:
        """Its exit status when it ended by itself; else it is made to."""
        try:
            return self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait(5)
        finally:
            if self.process.stdout is not None:
                self.process.stdout.close()


def deploy(api: Api) -> str:
    body = {"catalog_id": "adminer", "hostname": f"live-{uuid.uuid4().hex[:8]}"}
    return str(api.send("POST", "/apps", body, expect=201)["id"])


def lines_of(frames: list[Frame]) -> list[Any]:
    return [json.loads(frame["data"])["id"] for frame in frames if frame.get("event") == "log"]


def test_curl_follows_from_the_deployment_to_the_removal_and_resumes_anywhere(stack: RunningStack) -> None:
    api, token = stack.sign_in(), sign_in(stack)
    app_id = deploy(api)
    first = Curl(stack, app_id, token, after="0")
    frames = first.read_until('"running"')
    statuses = [json.loads(frame["data"])["status"] for frame in frames if frame.get("event") == "status"]
    assert (statuses[0], statuses[-1]) == ("deploying", "running")
    assert any("progress" in frame.get("data", "") for frame in frames)
    middle = frames[len(frames) // 2]["id"]
    resumed = Curl(stack, app_id, token, after=middle)
    seen = lines_of(resumed.read_until('"running"'))
    assert seen == [line for line in lines_of(frames) if line > int(middle)]
    api.send("DELETE", f"/apps/{app_id}", expect=202)
    for curl in (first, resumed):
        assert curl.read_until("removed")[-1]["event"] == "removed"
        assert curl.end() == 0


def test_a_stream_says_that_its_credentials_ended(stack: RunningStack) -> None:
    api, token = stack.sign_in(), sign_in(stack)
    app_id = deploy(api)
    curl = Curl(stack, app_id, token, after="0")
    curl.read_until('"running"')
    requests.post(
        f"{stack.url}/api/auth/logout", headers={"Authorization": f"Bearer {token}"}, timeout=30
    ).raise_for_status()
    api.send("PATCH", f"/apps/{app_id}", {"name": "Renamed"})
    last = curl.read_until("failed")[-1]
    assert last["event"] == "failed"
    assert json.loads(last["data"])["code"] == "UNAUTHENTICATED"
    curl.end()


def test_a_replica_that_dies_does_not_look_like_the_end(stack: RunningStack) -> None:
    api, token = stack.sign_in(), sign_in(stack)
    app_id = deploy(api)
    curl = Curl(stack, app_id, token, after="0")
    frames = curl.read_until('"running"')
    stack.kill_process("apps")
    curl.read_until("nothing comes")
    assert curl.end() == 18  # curl's name for a body that broke off
    deadline = time.monotonic() + LIMIT_S
    resumed: list[Frame] = []
    while not resumed and time.monotonic() < deadline:
        again = Curl(stack, app_id, token, after=frames[-1]["id"])
        resumed = [frame for frame in again.read_until('"running"') if "event" in frame]
        again.end()
    assert json.loads(resumed[-1]["data"])["status"] == "running"
    assert lines_of(resumed) == []


@contextmanager
def start_replica(stack: RunningStack) -> Iterator[grpc.Channel]:
    """A second server of apps beside the platform's own, as it runs, on the same database and NATS."""
    settings = read_settings(LocalSettings, make_environment(stack.state, stack.port))
    ports = json.loads((stack.state / "run.json").read_text())["ports"]
    address = f"127.0.0.1:{find_port()}"
    environment = specs.make_environment(
        settings, specs.make_secrets(settings), ports, proxmox=stack.simulator
    )
    urls = list_nats_urls(settings, ports)
    services = specs.list_services(environment, ports, nats_urls=urls)
    spec = next(each for each in services if each.name == "apps")
    with subprocess.Popen(
        spec.arguments, env={**spec.environment, "LISTEN": address}, stderr=subprocess.DEVNULL
    ) as replica:
        try:
            with grpc.insecure_channel(address) as channel:
                grpc.channel_ready_future(channel).result(LIMIT_S)
                yield channel
        finally:
            replica.terminate()
            replica.wait(STOP_S)


def read_events(channel: grpc.Channel, app_id: str, token: str, *, after: str) -> Iterator[AppEvent]:
    request = StreamAppEventsRequest(app_id=app_id, last_event_id=after)
    metadata = (("authorization", f"Bearer {token}"),)
    return iter(AppsServiceStub(channel).StreamAppEvents(request, metadata=metadata, timeout=LIMIT_S))


def read_log_until(events: Iterator[AppEvent], status: str) -> list[int]:
    """The ids of the log lines up to the status."""
    seen = []
    for event in events:
        if event.HasField("log"):
            seen.append(event.log.id)
        if event.HasField("status") and event.status.status == status:
            return seen
    raise AssertionError(f"the stream ended before {status!r}")


def test_what_began_at_one_replica_goes_on_at_another_without_a_gap(stack: RunningStack) -> None:
    api, token = stack.sign_in(), sign_in(stack)
    app_id = deploy(api)
    first = Curl(stack, app_id, token, after="0")
    frames = first.read_until('"running"')
    middle = frames[len(frames) // 2]["id"]
    with start_replica(stack) as channel:
        events = read_events(channel, app_id, token, after=middle)
        seen = read_log_until(events, "running")
        assert seen == [line for line in lines_of(frames) if line > int(middle)]
        api.send("POST", f"/apps/{app_id}/action", {"action": "stop"}, expect=202)
        there = read_log_until(events, "stopped")  # what happens elsewhere comes too, by NATS
    here = lines_of(first.read_until('"stopped"'))
    assert there
    assert there == here
    first.process.kill()
    first.end()
