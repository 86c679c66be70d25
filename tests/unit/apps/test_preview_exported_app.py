"""PreviewExportedApp: what an import would do, and everything that stands in its way."""

from __future__ import annotations

from typing import Any

import pytest
from proximity.apps.v1 import export_pb2 as pb

from services.apps.domain.errors import PassphraseWrongError
from services.clients.auth.values import Quota
from services.clients.inventory.archive_values import ContainerVolume
from services.common.core.errors import InvalidError, UnavailableError
from tests.fakes.apps_service import Service, call
from tests.fakes.exported_apps import (
    PASSPHRASE,
    WRONG_PLACES,
    deploy_with_backup,
    export,
    make_derivation_cheap,
    make_import,
    name_archive,
)


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    make_derivation_cheap(monkeypatch)


async def preview(service: Service, document: dict[str, Any], **fields: Any) -> pb.AppImportPreview:
    request = make_import(document, **fields)
    return await service.api.preview_exported_app(request, call(1, staff=True))


async def test_it_says_what_would_be_made_and_changes_nothing(service: Service) -> None:
    source = await deploy_with_backup(service)
    service.platform.backups.policies[source.id] = ("nightly",)
    service.platform.containers.unarchived = [ContainerVolume("mp0", "mp0 (/srv/photos, 50 GB on tank)")]
    document = await export(service, source.id, passphrase=PASSPHRASE)
    reserved = dict(service.platform.containers.reserved)
    found = await preview(service, document, passphrase=PASSPHRASE, archive=name_archive(document))
    assert (found.possible, list(found.obstacles), found.with_data) == (True, [], True)
    assert (found.hostname, found.catalog_id, found.catalog_item) == ("moved-1", "adminer", "known")
    assert (found.runtime, found.host_id, found.node, found.bridge) == ("compose", 1, "pve1", "vmbr0")
    assert not [warning for warning in found.warnings if "bridge" in warning], "it is the same here"
    assert found.resources.memory == source.config.memory
    assert found.archive_size == document["archive"]["size"]
    assert list(found.omitted) == ["mp0 (/srv/photos, 50 GB on tank)"]
    assert any("backed up by nightly" in warning for warning in found.warnings)
    assert [app.id for app in await service.platform.store.list_all_apps()] == [source.id]
    assert service.platform.containers.reserved == reserved


async def test_it_lists_all_obstacles_at_once(service: Service) -> None:
    source = await deploy_with_backup(service)
    document = await export(service, source.id)
    service.set_quota(Quota(apps=0))
    service.platform.containers.failure["place_container"] = UnavailableError("pve does not answer")
    found = await preview(service, document, hostname=source.hostname, owner=99)
    assert not found.possible
    texts = " | ".join(found.obstacles)
    for part in (
        "no values for PASSWORD",
        "there is no user 99",
        f"hostname {source.hostname} is that of another app",
        "quota of apps",
        "pve does not answer",
    ):
        assert part in texts
    assert list(found.missing_values) == ["PASSWORD"]
    assert not found.HasField("host_id")
    assert any("has no data" in warning for warning in found.warnings)


async def test_a_document_that_cannot_be_opened_has_no_preview(service: Service) -> None:
    source = await deploy_with_backup(service)
    document = await export(service, source.id, passphrase=PASSPHRASE)
    with pytest.raises(PassphraseWrongError):
        await preview(service, document, passphrase="something else")


async def test_what_another_network_had_is_said(service: Service) -> None:
    source = await deploy_with_backup(service)
    document = await export(service, source.id)
    document["app"]["network"] = {"address": "10.9.0.5/24", "bridge": "vmbr9", "vlan": 4}
    document["app"]["catalog_id"] = "elsewhere"
    document["app"]["definition"]["devices"] = ["/dev/dri"]
    found = await preview(service, document, environment={"PASSWORD": "x"})
    texts = " | ".join(found.warnings)
    for part in ("had the address 10.9.0.5/24", "bridge vmbr9 with VLAN 4", "no elsewhere", "/dev/dri"):
        assert part in texts
    assert found.catalog_item == "unknown"


async def test_an_app_that_is_named_as_its_host_follows_a_new_hostname(service: Service) -> None:
    source = await deploy_with_backup(service)
    document = await export(service, source.id, passphrase=PASSPHRASE)
    assert (await preview(service, document, passphrase=PASSPHRASE)).name == "moved-1"
    document = await export(service, source.id)
    document["app"]["name"] = "The shop"
    assert (await preview(service, document, environment={"PASSWORD": "x"})).name == "The shop"


@pytest.mark.parametrize(("wrong", "fault"), WRONG_PLACES)
async def test_the_place_of_an_archive_is_checked_as_every_field_is(
    service: Service, wrong: dict[str, Any], fault: str
) -> None:
    document = await export(service, (await deploy_with_backup(service)).id)
    with pytest.raises(InvalidError, match=fault):
        await preview(service, document, archive={**name_archive(document), **wrong})
