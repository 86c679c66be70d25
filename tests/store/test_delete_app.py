"""DeleteApp on both databases: what becomes of backups, what stays is said, and a removed app can come back."""

from __future__ import annotations

import dataclasses
import time
import uuid
from datetime import timedelta

import pytest
import sqlalchemy as sa
from proximity.apps.v1 import apps_service_pb2 as pb
from proximity.apps.v1 import events_pb2

from services.apps.domain.entities import App
from services.apps.domain.errors import AppNotFoundError
from services.apps.domain.neighbours import AppBackupCount
from services.apps.store.tables import SEALED, apps, outbox, removed_apps, upgrades
from services.apps.usecases.removed_apps import forget_removed_apps
from services.common.identity.resealing import reseal
from services.common.identity.sealing import Sealer
from services.common.rpc.step_up import RECENT_S, StepUpRequiredError
from tests.store.apps_db import db  # noqa: F401 - fixtures
from tests.store.apps_platform import platform  # noqa: F401 - a fixture
from tests.store.apps_service import Service, call, inner, service  # noqa: F401 - fixtures


async def deploy_running(service: Service) -> App:  # noqa: F811 - the fixture
    app = await service.deploy(environment={"THEME": "dark"})
    await service.platform.run()
    return await service.platform.store.get_app(app.id)


async def delete(service: Service, app_id: str, **fields: str) -> pb.DeleteAppResponse:  # noqa: F811
    return await service.api.delete_app(pb.DeleteAppRequest(app_id=app_id, **fields), call())


async def read_removal(service: Service) -> events_pb2.AppRemoved:  # noqa: F811
    query = sa.select(outbox.c.payload).where(outbox.c.subject == "events.apps.v1.app_removed")
    payload = await service.platform.database.read(lambda connection: connection.execute(query).scalar_one())
    return events_pb2.AppRemoved.FromString(payload)


@pytest.mark.parametrize(
    ("choice", "total", "protected", "kept", "deleted", "said"),
    [
        ({}, 0, 0, 0, 0, "Deleting web-01"),
        ({}, 3, 1, 3, 0, "Its 3 backups stay: see GET /api/backups?app_id="),
        ({"backups": "keep"}, 1, 0, 1, 0, "Its 1 backup stays"),
        ({"backups": "delete"}, 3, 0, 0, 3, "Deleting 3 backups with it"),
        (
            {"backups": "delete"},
            3,
            1,
            1,
            2,
            "Deleting 2 backups with it. Its 1 protected backup stays, as protected",
        ),
        ({"backups": "delete"}, 2, 2, 2, 0, "Its 2 protected backups stay, as protected"),
    ],
)
async def test_a_deletion_says_what_becomes_of_the_backups(
    service: Service,  # noqa: F811
    choice: dict[str, str],
    total: int,
    protected: int,
    kept: int,
    deleted: int,
    said: str,
) -> None:
    app = await deploy_running(service)
    if total:
        service.platform.backups.counts[app.id] = AppBackupCount(total, protected)
    answer = await delete(service, app.id, **choice)
    assert (answer.backups_kept, answer.backups_deleted) == (kept, deleted)
    assert answer.HasField("backups_kept")
    assert said in answer.message
    again = call()
    repeated = await service.api.delete_app(pb.DeleteAppRequest(app_id=app.id), again)
    assert (repeated.operation_id, again.http_status) == ("", 200)
    await service.platform.run()
    assert (await read_removal(service)).delete_backups == (choice.get("backups") == "delete")


async def test_an_app_is_deleted_while_backups_does_not_answer(service: Service) -> None:  # noqa: F811
    app = await deploy_running(service)
    service.platform.backups.down = True
    answer = await delete(service, app.id, backups="delete")
    assert not answer.HasField("backups_kept")
    await service.platform.run()
    assert (await read_removal(service)).delete_backups


async def test_the_action_keeps_the_backups_and_says_so(service: Service) -> None:  # noqa: F811
    app = await deploy_running(service)
    service.platform.backups.counts[app.id] = AppBackupCount(2, 0)
    request = pb.PerformAppActionRequest(app_id=app.id, action="delete")
    answer = await service.api.perform_app_action(request, call())
    assert "Its 2 backups stay" in answer.message
    await service.platform.run()
    assert not (await read_removal(service)).delete_backups


async def test_a_second_container_is_named_and_is_an_orphan_afterwards(service: Service) -> None:  # noqa: F811
    app = await deploy_running(service)
    containers = service.platform.containers.containers
    containers[9500] = dataclasses.replace(containers[app.vmid or 0], vmid=9500)
    answer = await delete(service, app.id)
    assert "Container 9500 of host 1 carries its mark too and stays; reconcile names it" in answer.message
    await service.platform.run()
    assert set(containers) == {9500}
    (found,) = (await service.api.reconcile_apps(pb.ReconcileAppsRequest(), call(staff=True))).findings
    assert (found.type, found.vmid) == ("orphan", 9500)


async def restore(service: Service, app: App, archive: str, **fields: int) -> App:  # noqa: F811
    request = pb.RestoreBesideRequest(
        operation_id=uuid.uuid4().hex,
        source_app_id=app.id,
        archive=archive,
        new_hostname="back-1",
        **fields,  # type: ignore[arg-type]
    )
    asked = dataclasses.replace(call(), caller=dataclasses.replace(inner().caller, user=call().user))
    answer = await service.internal.restore_beside(request, asked)
    await service.platform.run()
    return await service.platform.store.get_app(answer.app_id)


async def remove_with_archive(service: Service) -> tuple[App, str]:  # noqa: F811
    app = await deploy_running(service)
    archive = service.platform.containers.archive(app.vmid or 0)
    await delete(service, app.id)
    await service.platform.run()
    with pytest.raises(AppNotFoundError):
        await service.platform.store.get_app(app.id)
    return app, archive


async def test_a_removed_app_comes_back_from_its_backup_with_its_values(service: Service) -> None:  # noqa: F811
    app, archive = await remove_with_archive(service)
    back = await restore(service, app, archive, host_id=1, vmid=app.vmid or 0, owner_id=app.owner_id)
    assert (back.status, back.hostname, back.owner_id) == ("running", "back-1", app.owner_id)
    assert (back.catalog_id, back.config, back.environment) == (app.catalog_id, app.config, app.environment)
    assert (back.revision, back.secret_names, back.adopted) == (app.revision, app.secret_names, False)
    assert f"{back.public_port}:8080" in str(back.rendering["compose"])


async def test_it_belongs_to_who_has_the_backup_or_who_asks_when_that_one_is_gone(service: Service) -> None:  # noqa: F811
    app, archive = await remove_with_archive(service)
    back = await restore(service, app, archive, host_id=1, owner_id=2)
    assert back.owner_id == 2
    await service.api.delete_app(pb.DeleteAppRequest(app_id=back.id), call(2))
    await service.platform.run()
    assert (await restore(service, app, archive, host_id=1, owner_id=99)).owner_id == 1


async def test_an_app_whose_record_is_gone_comes_back_as_a_container(service: Service) -> None:  # noqa: F811
    app, archive = await remove_with_archive(service)
    assert (
        await forget_removed_apps(service.platform.store, service.platform.backups, settled=timedelta(0)) == 1
    )
    with pytest.raises(AppNotFoundError):  # an older release of backups says nothing of the app
        await restore(service, app, archive)
    back = await restore(service, app, archive, host_id=1, vmid=app.vmid or 0, owner_id=1)
    assert (back.status, back.catalog_id, back.environment) == ("running", "custom", {})


async def test_records_are_kept_as_long_as_there_are_backups(service: Service) -> None:  # noqa: F811
    app, _ = await remove_with_archive(service)
    store, backups = service.platform.store, service.platform.backups
    backups.counts[app.id] = AppBackupCount(1, 0)
    assert await forget_removed_apps(store, backups, settled=timedelta(0)) == 0
    backups.counts.clear()
    assert await forget_removed_apps(store, backups) == 0, "it was removed just now"
    assert await forget_removed_apps(store, backups, settled=timedelta(0)) == 1
    for table in (removed_apps, upgrades):
        query = sa.select(sa.func.count()).select_from(table)
        assert await service.platform.database.read(lambda c, query=query: c.execute(query).scalar_one()) == 0  # type: ignore[misc]


async def test_secrets_of_a_removed_app_stay_sealed_and_are_sealed_anew(service: Service) -> None:  # noqa: F811
    await remove_with_archive(service)
    database = service.platform.database

    async def read() -> str:
        query = sa.select(removed_apps)
        return str(await database.read(lambda connection: connection.execute(query).all()))

    before = await read()
    assert "s3cret" not in before
    sealed = {
        table: {one.column.name for one in SEALED if one.column.table is table}
        for table in (apps, removed_apps)
    }
    assert sealed[apps] == sealed[removed_apps], "what is sealed of an app is sealed of its record"
    both = Sealer("n" * 40, previous=("k" * 40,))
    assert (await reseal(database, both, SEALED)).broken == ()
    assert await read() != before


async def test_deleting_the_backups_needs_a_recent_sign_in(service: Service) -> None:  # noqa: F811
    app = await deploy_running(service)
    late = call()
    late.caller = dataclasses.replace(late.caller, session="s", authenticated_at=time.time() - RECENT_S - 1)
    with pytest.raises(StepUpRequiredError):
        await service.api.delete_app(pb.DeleteAppRequest(app_id=app.id, backups="delete"), late)
    answer = await service.api.delete_app(pb.DeleteAppRequest(app_id=app.id), late)
    assert answer.status == "removing"
