"""Every fault that Envoy would swallow at start is found in the protos."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pb2
from proximity.common.v1 import access_pb2

from gateway.__main__ import main
from gateway.check import check_surface
from gateway.surface import load_surface, parse_surface
from tests.unit.gateway.changes import change, http, rpc, set_http, set_rpc  # noqa: F401 - fixtures

Options = descriptor_pb2.MethodOptions


FAULTS = [
    (
        "AppsService.GetApp",
        set_http(get="/api/apps/{id}"),
        "{id} is not a field of proximity.apps.v1.GetAppRequest",
    ),
    ("AppsService.GetApp", set_http(get="/api/apps/discover"), "belongs to"),
    ("AppsService.GetApp", set_http(get="/api/apps/{app_id}/"), "not end with /"),
    ("AppsService.GetApp", set_http(get="/apps/{app_id}"), "must begin with /api/"),
    ("AppsService.GetApp", set_http(get="/api/apps/{app_id=**}"), "neither a word nor {field}"),
    ("AppsService.GetApp", set_http(get="/api/apps/{app_id}:read"), "neither a word nor {field}"),
    ("AppsService.GetApp", set_http(get="/api/openapi.json"), "belongs to the documentation"),
    ("AppsService.GetApp", set_http(body="*"), "GET takes no body"),
    ("AppsService.DeployApp", set_http(body=""), "POST needs a body"),
    ("AppsService.DeployApp", set_http(body="config"), "only * is supported"),
    ("AppsService.DeployApp", set_http(post="/api/apps/{config}"), "not a single value"),
    ("AppsService.DeployApp", set_http(get="/api/deploy", body=""), "free of side effects"),
    ("AppsService.GetApp", lambda method: method.ClearField("options"), "declares no access"),
    ("AppsService.GetApp", set_rpc(access=access_pb2.ACCESS_INTERNAL), "is internal and has a REST path"),
    ("AppsService.DeployApp", set_rpc(success=302), "declares success 302"),
    ("AppsService.DiscoverContainers", set_rpc(success=202), "arrays are 200"),
    ("AppsService.DeployApp", lambda method: setattr(method, "client_streaming", True), "takes a stream"),
]


def test_the_committed_protos_have_no_fault() -> None:
    assert check_surface(load_surface()) == []
    assert main(["check"]) == 0


@pytest.mark.parametrize(("method", "edit", "words"), FAULTS, ids=[words for _, _, words in FAULTS])
def test_each_fault_is_found(
    method: str, edit: Callable[[Any], None], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = tmp_path / "image.binpb"
    image.write_bytes(change(method, edit).SerializeToString())
    assert main(["check", "--image", str(image)]) == 1
    out = capsys.readouterr().out
    assert words in out
    assert method in out


def test_a_variable_with_another_name_is_the_same_path() -> None:
    image = change("AppsService.GetAppStats", set_http(get="/api/apps/{app_id}/status"))
    faults = check_surface(parse_surface(image))
    assert len(faults) == 1
    assert "belongs to proximity.apps.v1.AppsService.GetAppSta" in faults[0]


def test_numbers_that_the_json_body_needs_are_found() -> None:
    image = descriptor_pb2.FileDescriptorSet()
    image.CopyFrom(load_surface().image)
    [message] = [
        each for file in image.file for each in file.message_type if each.name == "UpdateBackupRequest"
    ]
    message.field[-1].number = 1000
    assert [fault for fault in check_surface(parse_surface(image)) if "notes has number 1000" in fault]


def test_whole_numbers_of_64_bits_are_found() -> None:
    image = descriptor_pb2.FileDescriptorSet()
    image.CopyFrom(load_surface().image)
    [field] = [
        field
        for file in image.file
        for message in file.message_type
        for field in message.field
        if (file.package, message.name, field.name) == ("proximity.backups.v1", "Backup", "size")
    ]
    field.type = descriptor_pb2.FieldDescriptorProto.TYPE_INT64
    assert any("Backup.size has 64 bits" in fault for fault in check_surface(parse_surface(image)))
