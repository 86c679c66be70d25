"""Steps that suites of exports and imports share: an app with a backup, its document, an import of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from proximity.apps.v1 import export_pb2 as pb

from services.apps.domain import export_sealing
from services.apps.domain.entities import App
from tests.fakes.apps_service import Service, call
from tests.fakes.containers import FakeContainers

PASSPHRASE = "correct horse battery staple"
# Places of an archive that no request may name, with the refusal.
WRONG_PLACES: tuple[tuple[dict[str, Any], str], ...] = (
    ({"host_id": 0}, "archive.host_id: is required"),
    (
        {"volume_id": "local:backup/vzdump-lxc-9000\n"},
        "archive.volume_id: must not contain the control character",
    ),
    ({"storage": "s" * 101, "volume_id": ""}, "archive.storage: .*100"),
)
SECRET = "s3cret'x"  # of the catalog in memory


def make_derivation_cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let scrypt take a tenth of the time; documents say how they were sealed."""
    monkeypatch.setattr(export_sealing, "_N", 1 << 14)
    monkeypatch.setattr(export_sealing, "_P", 1)


async def deploy_with_backup(service: Service, *, runtime: str = "compose", **environment: str) -> App:
    """Have an app that runs, and a backup of it."""
    app = await service.deploy(config={"runtime": runtime}, environment=environment)
    await service.platform.run()
    await make_backup(service, app.id)
    return await service.platform.store.get_app(app.id)


async def make_backup(service: Service, app_id: str) -> int:
    """Make a backup of an app; its number."""
    backups, operation_id = (
        service.platform.backups,
        f"backup of {app_id} {len(service.platform.backups.made)}",
    )
    for _ in range(2):  # it is made while it is waited for
        made = await backups.create_held_backup(app_id, operation_id, notes="", requested_by=1)
    assert made.status == "completed"
    return made.id


async def export(service: Service, app_id: str, *, user: int = 1, **fields: Any) -> dict[str, Any]:
    """Export an app; the document as REST writes it into a file."""
    document = await service.api.export_app(pb.ExportAppRequest(app_id=app_id, **fields), call(user))
    return write_json(document)


def write_json(message: Message) -> dict[str, Any]:
    """Render a message as the gateway does, and read it again."""
    found = json_format.MessageToDict(message, preserving_proto_field_name=True)
    read: dict[str, Any] = json.loads(json.dumps(found))
    return read


def make_import(
    document: dict[str, Any], *, hostname: str = "moved-1", **fields: Any
) -> pb.ImportExportedAppRequest:
    """Build the request of an import."""
    body = {"document": document, "hostname": hostname, **fields}
    return json_format.ParseDict(body, pb.ImportExportedAppRequest())


async def import_app(service: Service, document: dict[str, Any], **fields: Any) -> App:
    """Import a document as an administrator, to the end."""
    answer = await service.api.import_exported_app(make_import(document, **fields), call(1, staff=True))
    await service.platform.run_to_the_end()
    return await service.platform.store.get_app(answer.app_id)


def name_archive(document: dict[str, Any], *, host_id: int = 1) -> dict[str, Any]:
    """Name the archive of a document where it is."""
    return {"host_id": host_id, "volume_id": document["archive"]["volume_id"]}


def find_own(containers: FakeContainers, app: App) -> dict[str, str]:
    """Return the files in an app's container."""
    return {path: text for (vmid, path), text in containers.files.items() if vmid == app.vmid}
