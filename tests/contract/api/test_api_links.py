"""What an answer points to is there: pages of lists, things that were made or begun, counts that agree."""

from __future__ import annotations

import re
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.any_pb2 import Any as Packed
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from proximity.apps.v1 import apps_service_pb2 as pb
from proximity.apps.v1.apps_service_pb2_grpc import AppsServiceStub

from tests.contract.api.callers import read
from tests.contract.api.world import World

LINK = re.compile(r'<([^>]*)>; rel="(\w+)"')


def read_links(answer: httpx.Response) -> dict[str, str]:
    return {name: target for target, name in LINK.findall(answer.headers["link"])}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/api/catalog?per_page=9&runtime=compose", "applications"),
        ("/api/auth/users/?per_page=3", "users"),
        ("/api/apps/?per_page=2&search=h-", "apps"),
    ],
)
def test_links_lead_through_a_list_and_back(world: World, path: str, name: str) -> None:
    world.ask(f"/api/apps/{world.resolve('$app.id', {})}")
    seen: list[Any] = []
    answer = world.send("GET", path, caller="admin")
    for _ in range(1000):
        page = read(answer, 200)
        seen += [each["id"] for each in page[name]]
        links = read_links(answer)
        if "next" not in links:
            break
        answer = world.send("GET", links["next"], caller="admin")
    assert len(seen) == len(set(seen)) == page["total"]
    last = read(world.send("GET", links["last"], caller="admin"), 200)
    assert [each["id"] for each in last[name]] == [each["id"] for each in page[name]]
    first = read(world.send("GET", links["first"], caller="admin"), 200)
    assert [each["id"] for each in first[name]] == seen[: len(first[name])]


def test_a_page_behind_the_last_is_empty_and_leads_back(world: World) -> None:
    answer = world.send("GET", "/api/catalog?page=999999&per_page=100", caller="alice")
    assert read(answer, 200)["applications"] == []
    before = read_links(answer)["prev"]
    assert read(world.send("GET", before, caller="alice"), 200)["applications"]


def test_the_counts_of_the_system_are_those_of_its_lists(world: World) -> None:
    """An app counts from when it has its container."""
    before = world.ask("/api/system/info")["app_count"]
    app = world.make_spare_app()
    info = world.ask("/api/system/info")
    assert info["host_count"] == len(world.ask("/api/proxmox/hosts"))
    assert info["node_count"] == len(world.ask("/api/proxmox/nodes"))
    assert info["app_count"] == before + 1
    read(world.send("DELETE", f"/api/apps/{app['id']}", caller="alice"), 202)
    world.wait_until_gone(app["id"])
    assert world.ask("/api/system/info")["app_count"] == before


def test_a_native_stream_of_events_begins_with_the_status(world: World) -> None:
    metadata = (("authorization", f"Bearer {world.find_access('alice')}"),)
    app_id = world.resolve("$app.id", {})
    with grpc.insecure_channel(f"127.0.0.1:{world.stack.port}") as channel:
        stub = AppsServiceStub(channel)
        events = stub.StreamAppEvents(pb.StreamAppEventsRequest(app_id=app_id), metadata=metadata, timeout=30)
        first = next(iter(events))
        assert first.WhichOneof("event") in {"status", "log"}


@pytest.mark.parametrize(
    ("caller", "code"),
    [("anonymous", grpc.StatusCode.UNAUTHENTICATED), ("bob", grpc.StatusCode.NOT_FOUND)],
)
def test_a_native_stream_is_for_its_owner(world: World, caller: str, code: grpc.StatusCode) -> None:
    metadata = () if caller == "anonymous" else (("authorization", f"Bearer {world.find_access(caller)}"),)
    request = pb.StreamAppEventsRequest(app_id=world.resolve("$app.id", {}))
    with grpc.insecure_channel(f"127.0.0.1:{world.stack.port}") as channel:
        events = AppsServiceStub(channel).StreamAppEvents(request, metadata=metadata, timeout=30)
        with pytest.raises(grpc.RpcError) as caught:
            next(iter(events))
        error: Any = caught.value
        assert error.code() == code


def test_a_native_caller_gets_details_and_no_json(world: World) -> None:
    metadata = (("authorization", f"Bearer {world.find_access('alice')}"),)
    request = pb.DeployAppRequest(catalog_id="whoami", hostname="No")
    with (
        grpc.insecure_channel(f"127.0.0.1:{world.stack.port}") as channel,
        pytest.raises(grpc.RpcError) as caught,
    ):
        AppsServiceStub(channel).DeployApp(request, metadata=metadata, timeout=30)
    error: Any = caught.value
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert not error.details().startswith("{")
    bad = error_details_pb2.BadRequest()
    packed: list[Packed] = list(rpc_status.from_call(error).details)
    assert [each for each in packed if each.Unpack(bad)]
    assert [each.field for each in bad.field_violations] == ["hostname"]
