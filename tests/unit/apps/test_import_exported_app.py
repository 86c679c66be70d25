"""ImportExportedApp: an app of a document, with the data of its archive or without."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from proximity.apps.v1 import apps_service_pb2 as apps_pb

from services.apps.domain.entities import App
from services.apps.domain.errors import (
    ArchiveMismatchError,
    DataMissingError,
    HostnameTakenError,
    QuotaExceededError,
)
from services.clients.auth.values import Quota
from services.common.core.errors import InvalidError, NotFoundError, UnavailableError
from tests.fakes.app_upgrades import read_definition
from tests.fakes.apps_service import Service, call
from tests.fakes.exported_apps import (
    PASSPHRASE,
    SECRET,
    WRONG_PLACES,
    deploy_with_backup,
    export,
    import_app,
    make_derivation_cheap,
    make_import,
    name_archive,
)

MARKER = "/srv/data"


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    make_derivation_cheap(monkeypatch)


async def export_with_data(service: Service) -> tuple[App, dict[str, Any]]:
    """Have an app whose container has a file, and its document."""
    app = await service.deploy(environment={"THEME": "dark"})
    await service.platform.run()
    app = await service.platform.store.get_app(app.id)
    service.platform.containers.files[app.vmid or 0, MARKER] = "mine"
    operation = service.platform.backups
    for _ in range(2):
        await operation.create_held_backup(app.id, "op", notes="", requested_by=1)
    return app, await export(service, app.id, passphrase=PASSPHRASE)


async def test_an_app_comes_back_with_data_values_and_marks_of_its_own(service: Service) -> None:
    source, document = await export_with_data(service)
    containers = service.platform.containers
    before = dict(containers.containers)
    app = await import_app(
        service, document, passphrase=PASSPHRASE, archive=name_archive(document), name="Moved", owner=2
    )
    assert (app.status, app.error, app.adopted) == ("running", "", False)
    assert (app.hostname, app.name, app.owner_id, app.catalog_id) == ("moved-1", "Moved", 2, "adminer")
    assert app.id != source.id
    assert (app.environment, app.secret_names) == (source.environment, source.secret_names)
    assert (app.revision, app.config.memory) == (source.revision, source.config.memory)
    assert app.public_port != source.public_port
    assert f"{app.public_port}:8080" in read_definition(service.platform, app)
    own = {path: text for (vmid, path), text in containers.files.items() if vmid == app.vmid}
    assert own[MARKER] == "mine"
    assert SECRET in own["/opt/proximity/.env"].replace("\\", "")
    container = containers.containers[app.vmid or 0]
    assert (container.owner, container.name) == (app.id, "moved-1")
    network = containers.networks[app.vmid or 0]
    assert network is not None
    assert (network.bridge, network.network_cidr, network.nameservers) == ("vmbr0", "", ("8.8.8.8",))
    assert {vmid: one for vmid, one in containers.containers.items() if vmid in before} == before
    assert (await service.platform.store.get_app(source.id)).status == "running"


async def test_imported_values_can_be_revealed_and_changed_like_any(service: Service) -> None:
    _, document = await export_with_data(service)
    app = await import_app(service, document, passphrase=PASSPHRASE, archive=name_archive(document))
    request = apps_pb.RevealSecretsRequest(app_id=app.id, names=["PASSWORD"])
    assert (await service.api.reveal_secrets(request, call())).values["PASSWORD"] == SECRET
    change = apps_pb.UpdateAppRequest(app_id=app.id, environment={"THEME": "light"})
    await service.api.update_app(change, call())
    await service.platform.run_to_the_end()
    assert (await service.platform.store.get_app(app.id)).environment["THEME"] == "light"


async def test_it_is_imported_twice_under_two_hostnames_and_once_by_a_repeated_request(
    service: Service,
) -> None:
    _, document = await export_with_data(service)
    fields: dict[str, Any] = {"passphrase": PASSPHRASE, "archive": name_archive(document)}
    request, calling = make_import(document, **fields), call(1, staff=True)
    first = await service.api.import_exported_app(request, calling)
    again = await service.api.import_exported_app(request, calling)
    assert (first.app_id, first.operation_id) == (again.app_id, again.operation_id)
    await service.platform.run_to_the_end()
    with pytest.raises(HostnameTakenError, match="hostname moved-1 is that of another app"):
        await service.api.import_exported_app(request, call(1, staff=True))
    second = await import_app(service, document, hostname="moved-2", **fields)
    assert (second.status, second.hostname) == ("running", "moved-2")


@pytest.mark.parametrize("runtime", ["compose", "oci"])
async def test_without_an_archive_it_is_deployed_anew_with_its_values(service: Service, runtime: str) -> None:
    source = await deploy_with_backup(service, runtime=runtime)
    document = await export(service, source.id, passphrase=PASSPHRASE)
    started = len(service.platform.containers.started)
    answer = await service.api.import_exported_app(
        make_import(document, passphrase=PASSPHRASE), call(1, staff=True)
    )
    assert any("has no data" in warning for warning in answer.warnings)
    await service.platform.run_to_the_end()
    app = await service.platform.store.get_app(answer.app_id)
    assert (app.status, app.error, app.runtime) == ("running", "", runtime)
    assert app.environment == source.environment
    assert app.inputs == source.inputs
    assert "vzrestore" not in service.platform.containers.started[started:]


async def test_values_that_the_document_lacks_are_given(service: Service) -> None:
    source = await deploy_with_backup(service)
    document = await export(service, source.id)
    with pytest.raises(InvalidError, match="no values for PASSWORD"):
        await import_app(service, document)
    with pytest.raises(InvalidError, match="THEME: is no value that the document lacks"):
        await import_app(service, document, environment={"THEME": "x"})
    app = await import_app(service, document, environment={"PASSWORD": "given-anew"})
    assert (app.status, app.environment["PASSWORD"]) == ("running", "given-anew")


async def test_resources_and_network_of_the_request_count(service: Service) -> None:
    _, document = await export_with_data(service)
    app = await import_app(
        service,
        document,
        passphrase=PASSPHRASE,
        archive=name_archive(document),
        node="pve2",
        config={"memory": 1024, "bridge": "vmbr1", "vlan": 7, "storage": "nas"},
        network_cidr="10.0.0.9/24",
    )
    containers = service.platform.containers
    assert (app.node, app.config.memory, app.config.storage) == ("pve2", 1024, "nas")
    assert containers.containers[app.vmid or 0].memory == 1024 * 1024**2
    network = containers.networks[app.vmid or 0]
    assert network is not None
    assert (network.network_cidr, network.vlan) == ("10.0.0.9/24", 7)
    assert containers.restored_to[-1] == "nas"
    for key, value in (("runtime", "oci"), ("image", "x"), ("port", 1)):
        with pytest.raises(InvalidError, match=rf"config\.{key}: is that of the document"):
            await import_app(service, document, passphrase=PASSPHRASE, config={key: value})


async def test_the_archive_of_another_app_and_a_part_of_one_are_refused(service: Service) -> None:
    source, document = await export_with_data(service)
    containers = service.platform.containers
    other = await service.deploy("db-01")
    await service.platform.run()
    other_app = await service.platform.store.get_app(other.id)
    foreign = containers.archive(other_app.vmid or 0)
    fields = {"passphrase": PASSPHRASE}
    with pytest.raises(ArchiveMismatchError, match=f"made of the app {other.id}.*describes {source.id}"):
        await import_app(service, document, **fields, archive={"host_id": 1, "volume_id": foreign})
    unmarked = containers.archives[foreign]
    containers.archives[foreign] = dataclasses.replace(
        unmarked, container=dataclasses.replace(unmarked.container, owner="")
    )
    with pytest.raises(ArchiveMismatchError, match="made of the container db-01"):
        await import_app(service, document, **fields, archive={"host_id": 1, "volume_id": foreign})
    whole = containers.archives[document["archive"]["volume_id"]]
    assert whole.listing is not None
    containers.archives[document["archive"]["volume_id"]] = dataclasses.replace(
        whole, listing=dataclasses.replace(whole.listing, size=whole.listing.size - 1)
    )
    with pytest.raises(ArchiveMismatchError, match="copy it again"):
        await import_app(service, document, **fields, archive=name_archive(document))
    with pytest.raises(NotFoundError, match="has no archive"):
        await import_app(
            service, document, **fields, archive={"host_id": 1, "volume_id": "local:backup/vzdump-lxc-1-x"}
        )


async def test_what_has_no_place_here_is_refused(service: Service) -> None:
    _, document = await export_with_data(service)
    fields = {"passphrase": PASSPHRASE, "archive": name_archive(document)}
    with pytest.raises(InvalidError, match="owner: there is no user 99"):
        await import_app(service, document, **fields, owner=99)
    with pytest.raises(HostnameTakenError):
        await import_app(service, document, **fields, hostname="web-01")
    service.platform.containers.failure["place_container"] = InvalidError("node: there is no node 'pve9'")
    with pytest.raises(InvalidError, match="pve9"):
        await import_app(service, document, **fields)
    service.platform.containers.failure.clear()
    service.set_quota(Quota(apps=1))
    with pytest.raises(QuotaExceededError):
        await import_app(service, document, **fields)
    assert len(await service.platform.store.list_all_apps()) == 1


async def test_an_adopted_app_comes_back_with_its_archive_alone(service: Service) -> None:
    source = await deploy_with_backup(service)
    document = await export(service, source.id)
    document["app"] |= {"adopted": True, "runtime": "adopted", "definition": {}, "published": False}
    document["app"] |= {"hidden_environment": [], "secret_names": [], "environment": {}}
    del document["missing_values"]
    with pytest.raises(DataMissingError, match="name its archive"):
        await import_app(service, document)
    app = await import_app(service, document, archive=name_archive(document))
    assert (app.status, app.adopted, app.runtime) == ("running", False, "oci")


async def test_a_restore_that_fails_leaves_nothing(service: Service) -> None:
    _, document = await export_with_data(service)
    containers = service.platform.containers
    containers.failing.add("vzrestore")
    before = set(containers.containers)
    app = await import_app(service, document, passphrase=PASSPHRASE, archive=name_archive(document))
    assert (app.status, app.vmid, app.public_port) == ("error", None, None)
    assert "vzrestore broke" in app.error
    assert (set(containers.containers), set(containers.reserved)) == (before, {document["app"]["id"]})


async def test_an_archive_that_changed_while_the_import_waited_is_not_restored(service: Service) -> None:
    _, document = await export_with_data(service)
    request = make_import(document, passphrase=PASSPHRASE, archive=name_archive(document))
    answer = await service.api.import_exported_app(request, call(1, staff=True))
    volume_id = document["archive"]["volume_id"]
    packed = service.platform.containers.archives[volume_id]
    assert packed.listing is not None
    listing = dataclasses.replace(packed.listing, size=7)
    service.platform.containers.archives[volume_id] = dataclasses.replace(packed, listing=listing)
    await service.platform.run_to_the_end()
    app = await service.platform.store.get_app(answer.app_id)
    assert (app.status, app.vmid) == ("error", None)
    assert "has changed since the import was requested" in app.error


async def test_no_secret_is_in_the_operation_the_log_or_the_audit_entry(service: Service) -> None:
    _, document = await export_with_data(service)
    calling = call(1, staff=True)
    request = make_import(document, passphrase=PASSPHRASE, archive=name_archive(document))
    answer = await service.api.import_exported_app(request, calling)
    await service.platform.run_to_the_end()
    logs, _ = await service.platform.store.list_logs(answer.app_id, limit=200)
    operation = await service.platform.store.get_operation(answer.operation_id)
    texts = [*(line.message for line in logs), repr(operation), calling.audit_target, str(answer)]
    assert all(SECRET not in text and PASSPHRASE not in text for text in texts)
    assert answer.app_id in calling.audit_target


async def test_an_app_of_an_item_that_is_unknown_here_runs_by_its_document(service: Service) -> None:
    _, document = await export_with_data(service)
    document = await export(service, document["app"]["id"])
    document["app"]["catalog_id"] = "elsewhere"
    request = make_import(document, environment={"PASSWORD": "x"}, archive=name_archive(document))
    answer = await service.api.import_exported_app(request, call(1, staff=True))
    assert any("The catalog has no elsewhere" in warning for warning in answer.warnings)
    await service.platform.run_to_the_end()
    assert (await service.platform.store.get_app(answer.app_id)).status == "running"


async def test_a_host_that_is_silent_is_said(service: Service) -> None:
    _, document = await export_with_data(service)
    service.platform.containers.broken["plan_restore"] = 9
    with pytest.raises(UnavailableError, match="plan_restore"):
        await import_app(service, document, passphrase=PASSPHRASE, archive=name_archive(document))


@pytest.mark.parametrize(("wrong", "fault"), WRONG_PLACES)
async def test_the_place_of_an_archive_is_checked_as_every_field_is(
    service: Service, wrong: dict[str, Any], fault: str
) -> None:
    _, document = await export_with_data(service)
    with pytest.raises(InvalidError, match=fault):
        await import_app(
            service, document, passphrase=PASSPHRASE, archive={**name_archive(document), **wrong}
        )
