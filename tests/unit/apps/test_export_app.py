"""ExportApp: an app as a document, with its secret values sealed or left out."""

from __future__ import annotations

import dataclasses
import json

import pytest
from proximity.apps.v1 import export_pb2 as pb

from services.apps.domain.errors import AppNotFoundError
from services.apps.domain.export_sealing import open_values, render_canonical
from services.apps.domain.exported_app import SealedValues
from services.apps.domain.rendering import AppRendering
from services.clients.apps.errors import AppBusyError
from services.clients.inventory.archive_values import ContainerVolume
from services.common import VERSION
from services.common.core.errors import NotFoundError, UnavailableError
from tests.fakes.app_upgrades import back_up, upgrade
from tests.fakes.apps_service import Service, call
from tests.fakes.exported_apps import (
    PASSPHRASE,
    SECRET,
    deploy_with_backup,
    export,
    make_backup,
    make_derivation_cheap,
)

URL = "postgres://me:hunter2@db/shop"


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    make_derivation_cheap(monkeypatch)


async def test_a_document_says_what_the_app_is_and_which_archive_has_its_data(service: Service) -> None:
    app = await deploy_with_backup(service, THEME="dark")
    service.platform.backups.policies[app.id] = ("nightly",)
    service.platform.containers.unarchived = [ContainerVolume("mp0", "mp0 (/srv/photos, 50 GB on tank)")]
    document = await export(service, app.id, passphrase=PASSPHRASE)
    assert (document["format"], document["format_version"]) == ("proximity-app", 1)
    assert document["product_version"] == VERSION
    exported = document["app"]
    assert (exported["id"], exported["hostname"], exported["catalog_id"]) == (app.id, app.hostname, "adminer")
    assert (exported["revision"], exported["version"], exported["runtime"]) == ("r1", "version r1", "compose")
    assert (exported["internal_port"], exported["public_port"]) == (app.internal_port, app.public_port)
    assert exported["resources"] == {"memory": 2048, "cores": 2, "disk_size": 20, "swap": 512}
    assert exported["network"] == {"address": "dhcp", "bridge": "vmbr0"}
    assert exported["definition"]["compose"] == app.rendering.compose
    assert exported["definition"]["probe"]["grace_s"] == 1
    assert exported["environment"] == {"THEME": "dark"}
    assert (exported["secret_names"], exported["hidden_environment"]) == (["PASSWORD"], ["PASSWORD"])
    archive = document["archive"]
    [(volume_id, packed)] = service.platform.containers.archives.items()
    assert packed.listing is not None
    assert (archive["volume_id"], archive["size"]) == (volume_id, packed.listing.size)
    assert volume_id.endswith(archive["file_name"])
    assert archive["left_out"] == ["mp0 (/srv/photos, 50 GB on tank)"]
    assert document["backup_policies"] == ["nightly"]
    assert any("mp0 (/srv/photos" in note for note in document["notes"])


async def test_secret_values_are_sealed_with_the_passphrase_together_with_the_document(
    service: Service,
) -> None:
    app = await deploy_with_backup(service, URL=URL)
    document = await export(service, app.id, passphrase=PASSPHRASE)
    text = json.dumps(document)
    assert SECRET not in text
    assert "hunter2" not in text
    assert PASSPHRASE not in text
    assert "missing_values" not in document
    sealed = SealedValues(**document["sealed"])
    found = await open_values(sealed, PASSPHRASE, authenticated=render_canonical(document))
    assert found == {"environment": {"PASSWORD": SECRET, "URL": URL}, "inputs": {}}
    again = await export(service, app.id, passphrase=PASSPHRASE)
    assert {again["sealed"][name] for name in ("salt", "nonce")}.isdisjoint(document["sealed"].values())


async def test_without_a_passphrase_secret_values_are_left_out_and_named(service: Service) -> None:
    app = await deploy_with_backup(service, URL=URL, THEME="dark")
    document = await export(service, app.id)
    assert document["missing_values"] == ["PASSWORD", "URL"]
    assert "sealed" not in document
    assert SECRET not in json.dumps(document)
    assert "hunter2" not in json.dumps(document)


async def test_an_app_without_a_backup_is_exported_without_an_archive(service: Service) -> None:
    app = await service.deploy()
    await service.platform.run()
    document = await export(service, app.id)
    assert "archive" not in document
    assert any("no backup" in note for note in document["notes"])
    with pytest.raises(NotFoundError):
        await export(service, app.id, backup_id=99)


async def test_a_backup_may_be_named_and_the_app_is_described_as_it_is_in_it(service: Service) -> None:
    app = await deploy_with_backup(service)
    made_by = await back_up(service, app)
    older = service.platform.backups.made[next(iter(service.platform.backups.made))]
    service.platform.catalog.revisions = ["r1", "r2"]
    await upgrade(service.platform, app)
    newer = await make_backup(service, app.id)
    assert (await export(service, app.id))["archive"]["backup_id"] == newer
    found = service.platform.backups.find_exportable_backup

    async def find(app_id: str, *, backup_id: int | None = None) -> object:
        answer = await found(app_id, backup_id=backup_id)
        assert answer.archive is not None
        return dataclasses.replace(answer, archive=dataclasses.replace(answer.archive, made_by=made_by))

    service.platform.backups.find_exportable_backup = find  # type: ignore[method-assign,assignment]
    document = await export(service, app.id, backup_id=older.id)
    assert (document["archive"]["backup_id"], document["app"]["revision"]) == (older.id, "r1")
    assert "adminer:r1" in document["app"]["definition"]["compose"]


async def test_values_in_the_definition_of_an_earlier_release_are_replaced(service: Service) -> None:
    app = await deploy_with_backup(service)
    compose = f'services:\n  web:\n    image: adminer\n    environment:\n      PASSWORD: "{SECRET}"\n'
    assert await service.platform.store.replace_record(app, {"rendering": AppRendering(compose=compose)})
    document = await export(service, app.id)
    assert SECRET not in json.dumps(document)
    assert "${PASSWORD}" in document["app"]["definition"]["compose"]


async def test_what_cannot_be_exported_is_refused(service: Service) -> None:
    app = await deploy_with_backup(service)
    with pytest.raises(AppNotFoundError):
        await export(service, app.id, user=2)
    service.platform.backups.down = True
    with pytest.raises(UnavailableError):
        await export(service, app.id)
    service.platform.backups.down = False
    await service.platform.act(app.id, "stop")
    with pytest.raises(AppBusyError):
        await export(service, app.id)


async def test_the_answer_is_not_to_be_stored_and_the_audit_entry_names_the_app_alone(
    service: Service,
) -> None:
    app = await deploy_with_backup(service)
    calling = call()
    await service.api.export_app(pb.ExportAppRequest(app_id=app.id, passphrase=PASSPHRASE), calling)
    assert calling.audit_target == app.id
    assert ("cache-control", "no-store") in calling.headers
