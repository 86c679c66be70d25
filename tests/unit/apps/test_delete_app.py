"""DeleteApp: the app goes; what becomes of its backups and its container is said."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from datetime import timedelta

import pytest
import sqlalchemy as sa
from proximity.apps.v1 import apps_service_pb2 as pb
from proximity.apps.v1 import events_pb2

from services.apps.store.tables import (
    SEALED,
    apps,
    operation_tables,
    outbox,
    removed_apps,
    upgrades,
)
from services.apps.usecases.removed_apps import forget_removed_apps
from services.clients.backups.values import AppBackupCount
from services.common.core.clock import now
from services.common.db.migrations import reseal
from services.common.identity.keys import Sealer
from services.common.rpc.interceptors.authorization import RECENT_S, StepUpRequiredError
from tests.fakes.apps_platform import Platform
from tests.fakes.apps_service import Service, call
from tests.fakes.removed_apps import delete, deploy_running, remove_with_archive


async def read_removal(service: Service) -> events_pb2.AppRemoved:
    query = sa.select(outbox.c.payload).where(outbox.c.subject == "events.apps.v1.app_removed")
    payload = await service.platform.database.read(lambda connection: connection.execute(query).scalar_one())
    return events_pb2.AppRemoved.FromString(payload)


async def test_a_deletion_that_began_waits_for_proxmox(platform: Platform) -> None:
    app = await platform.deploy()
    await platform.run()
    platform.containers.broken = {"destroy_container": 4}
    await platform.act(app.id, "delete")
    await platform.run()
    deletion = await platform.store.find_unfinished(app.id)
    assert deletion is not None
    assert (deletion.status, "destroy" in deletion.waiting_for) == ("waiting", True)
    at_once = operation_tables.operations.update().values(not_before=now())
    async with asyncio.timeout(60):
        while await platform.store.find_unfinished(app.id) is not None:
            await platform.database.write(lambda connection: connection.execute(at_once))
            await platform.run()
    assert platform.containers.containers == {}


async def test_a_deletion_that_finds_no_proxmox_fails(platform: Platform) -> None:
    app = await platform.deploy()
    await platform.run()
    platform.containers.broken = {"get_container": 3}
    await platform.act(app.id, "delete")
    await platform.run()
    assert (await platform.store.get_app(app.id)).status == "error"
    assert len(platform.containers.containers) == 1


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
    service: Service,
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


async def test_an_app_is_deleted_while_backups_does_not_answer(service: Service) -> None:
    app = await deploy_running(service)
    service.platform.backups.down = True
    answer = await delete(service, app.id, backups="delete")
    assert not answer.HasField("backups_kept")
    await service.platform.run()
    assert (await read_removal(service)).delete_backups


async def test_the_action_keeps_the_backups_and_says_so(service: Service) -> None:
    app = await deploy_running(service)
    service.platform.backups.counts[app.id] = AppBackupCount(2, 0)
    request = pb.PerformAppActionRequest(app_id=app.id, action="delete")
    answer = await service.api.perform_app_action(request, call())
    assert "Its 2 backups stay" in answer.message
    await service.platform.run()
    assert not (await read_removal(service)).delete_backups


async def test_a_second_container_is_named_and_is_an_orphan_afterwards(service: Service) -> None:
    app = await deploy_running(service)
    containers = service.platform.containers.containers
    containers[9500] = dataclasses.replace(containers[app.vmid or 0], vmid=9500)
    answer = await delete(service, app.id)
    assert "Container 9500 of host 1 carries its mark too and stays; reconcile names it" in answer.message
    await service.platform.run()
    assert set(containers) == {9500}
    (found,) = (await service.api.reconcile_apps(pb.ReconcileAppsRequest(), call(staff=True))).findings
    assert (found.type, found.vmid) == ("orphan", 9500)


async def test_records_are_kept_as_long_as_there_are_backups(service: Service) -> None:
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


async def test_secrets_of_a_removed_app_stay_sealed_and_are_sealed_anew(service: Service) -> None:
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
    assert (await reseal(database, both, columns=SEALED)).broken == ()
    assert await read() != before


async def test_a_record_of_an_earlier_release_lacks_the_columns_that_came_since(service: Service) -> None:
    app, _ = await remove_with_archive(service)
    database = service.platform.database
    query = sa.select(removed_apps.c.record)
    record = await database.read(lambda connection: connection.execute(query).scalar_one())
    older = {name: value for name, value in record.items() if name not in {"adopted", "revision"}}
    change = removed_apps.update().values(record=older)
    await database.write(lambda connection: connection.execute(change))
    found = await service.platform.store.get_app_of_backup(app.id, "")
    assert (found.name, found.adopted, found.revision) == (app.name, False, "")


async def test_deleting_the_backups_needs_a_recent_sign_in(service: Service) -> None:
    app = await deploy_running(service)
    late = call()
    late.caller = dataclasses.replace(late.caller, session="s", authenticated_at=time.time() - RECENT_S - 1)
    with pytest.raises(StepUpRequiredError):
        await service.api.delete_app(pb.DeleteAppRequest(app_id=app.id, backups="delete"), late)
    answer = await service.api.delete_app(pb.DeleteAppRequest(app_id=app.id), late)
    assert answer.status == "removing"
