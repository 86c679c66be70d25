"""Commands that only check: the exit status says whether the request would be accepted."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from google.protobuf.message import Message
from proximity.apps.v1 import apps_service_pb2, export_pb2
from proximity.backups.v1 import backups_service_pb2
from proximity.catalog.v1 import catalog_service_pb2
from proximity.inventory.v1 import inventory_service_pb2
from proximity_cli import exports, rpcs, values
from proximity_cli.__main__ import main

PREVIEW = ["backups", "preview", "a-1", "3"]
RENDER = ["catalog", "preview", "adminer"]
UPDATE = ["update", "a-1", "--check"]
IMPORT = ["import", "--check"]


class Answering(SimpleNamespace):
    """A platform that answers every request alike."""

    def __init__(self, answer: Message) -> None:
        super().__init__(apps=SimpleNamespace(PreviewExportedApp=None, GetAppUpdate=None))
        self.answer = answer

    def find_stub(self, _method: object) -> object:
        return None

    def read(self, _stub: object, _request: Message) -> Message:
        return self.answer

    change = create = read


def make_update(**fields: Any) -> apps_service_pb2.AppUpdate:
    return apps_service_pb2.AppUpdate(app_id="a-1", **fields)


NEEDS = [apps_service_pb2.UpdateNeed(name="URL", reason="is required")]


@pytest.mark.parametrize(
    ("arguments", "answer", "status"),
    [
        (PREVIEW, backups_service_pb2.RestorePreview(possible=True), 0),
        (PREVIEW, backups_service_pb2.RestorePreview(obstacles=["pve2 is offline"]), 6),
        (RENDER, catalog_service_pb2.PreviewItemResponse(runtime="compose"), 0),
        (RENDER, catalog_service_pb2.PreviewItemResponse(obstacles=["quota of apps"]), 6),
        (["hosts", "test", "1"], inventory_service_pb2.TestHostResponse(success=True), 0),
        (["hosts", "test", "1"], inventory_service_pb2.TestHostResponse(message="refused"), 6),
        (["hosts", "try", "pve.example"], inventory_service_pb2.TestHostResponse(message="refused"), 6),
        (["migration-targets", "a-1"], apps_service_pb2.ListMigrationTargetsResponse(obstacles=["busy"]), 0),
        (UPDATE, make_update(available=True), 0),
        (UPDATE, make_update(available=True, obstacles=["a-1 is updating"]), 6),
        (UPDATE, make_update(available=True, needs=NEEDS), 6),
        ([*UPDATE, "--set", "URL=x"], make_update(available=True, needs=NEEDS), 0),
        (UPDATE, make_update(obstacles=["a-1 is of revision r1 already"]), 0),
        (IMPORT, export_pb2.AppImportPreview(possible=True), 0),
        (IMPORT, export_pb2.AppImportPreview(obstacles=["hostname shop is that of another app"]), 6),
    ],
)
def test_the_exit_status_says_whether_it_is_possible(
    arguments: list[str],
    answer: Message,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    document = tmp_path / "shop.json"
    document.write_text(json.dumps({"format": "proximity-app"}))
    for module in (exports, rpcs, values):
        monkeypatch.setattr(module, "connect", lambda: Answering(answer))
    files = [str(document)] if arguments is IMPORT else []
    assert main([*arguments, *files]) == status
    printed = capsys.readouterr().out
    assert all(obstacle in printed for obstacle in getattr(answer, "obstacles", ()) if status)
    assert main([*arguments, *files, "--json"]) == status
    assert json.loads(capsys.readouterr().out) is not None
