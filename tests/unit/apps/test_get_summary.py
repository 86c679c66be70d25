"""GetSummary: counts of what the caller may see, and the capacity of the nodes."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

from google.protobuf import empty_pb2
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.store.tables import operation_tables
from services.clients.backups.values import AppBackupCount
from services.clients.catalog.values import ItemRevision
from services.clients.inventory.values import NodeCapacity
from services.common.core.clock import now
from services.common.core.errors import UnavailableError
from services.common.rpc.call import Call
from tests.fakes.apps_service import Service, call

ops = operation_tables.operations
NODE = NodeCapacity(
    host_id=1,
    host_name="lab",
    name="pve1",
    status="online",
    cpu_count=8,
    cpu_usage=0.25,
    memory_total=64e9,
    memory_used=16e9,
    storage_total=1e12,
    storage_used=2e11,
    last_updated=datetime(2026, 1, 2, tzinfo=UTC),
)


async def read_summary(service: Service, caller: Call) -> pb.Summary:
    return await service.api.get_summary(empty_pb2.Empty(), caller)


async def set_operation(service: Service, operation_id: str, **values: object) -> None:
    change = ops.update().where(ops.c.id == operation_id).values(**values)
    await service.platform.store._db.write(lambda connection: connection.execute(change))


async def find_operation_id(service: Service, app_id: str) -> str:
    found, _ = await service.platform.store.list_operations(app_id, page=1, per_page=1)
    return found[0].id


async def test_apps_are_counted_by_status_for_their_owner_and_for_administrators(service: Service) -> None:
    await service.deploy("web-01", user=1)
    await service.platform.run()
    await service.deploy("web-02", user=1)
    await service.deploy("web-03", user=2)
    mine = await read_summary(service, call(1))
    assert (mine.apps_total, dict(mine.apps_by_status)) == (2, {"running": 1, "deploying": 1})
    assert (mine.operations_running, mine.operations_failed) == (1, 0)
    other = await read_summary(service, call(2))
    assert dict(other.apps_by_status) == {"deploying": 1}
    every = await read_summary(service, call(3, staff=True))
    assert (every.apps_total, every.operations_running) == (3, 2)
    assert (await read_summary(service, call(4))).apps_total == 0


async def test_operations_that_failed_within_a_day_or_were_given_up_are_counted(service: Service) -> None:
    apps = [await service.deploy(f"web-0{number}") for number in range(4)]
    fresh, old, dead, running = [await find_operation_id(service, app.id) for app in apps]
    await set_operation(service, fresh, status="failed", finished_at=now() - timedelta(hours=23))
    await set_operation(service, old, status="failed", finished_at=now() - timedelta(hours=25))
    await set_operation(service, dead, status="dead")
    await set_operation(service, running, status="undoing")
    summary = await read_summary(service, call())
    assert (summary.operations_running, summary.operations_failed) == (1, 2)
    assert (await read_summary(service, call(2))).operations_failed == 0


async def test_apps_without_a_backup_that_can_be_restored_are_named(service: Service) -> None:
    apps = [await service.deploy(f"web-0{number}") for number in range(3)]
    service.platform.backups.counts = {
        apps[0].id: AppBackupCount(2, 0, completed=1),
        apps[1].id: AppBackupCount(3, 0, completed=0),
    }
    summary = await read_summary(service, call())
    assert summary.apps_without_backup == 2
    assert list(summary.app_ids_without_backup) == [apps[2].id, apps[1].id]
    assert list(summary.unavailable) == []


async def test_updates_are_counted(service: Service) -> None:
    app = await service.deploy()
    assert (await read_summary(service, call())).updates_available == 0
    stored = await service.platform.store.get_app(app.id)
    service.updates._newest = {stored.catalog_id: ItemRevision("newer", "2")}
    assert (await read_summary(service, call())).updates_available == 1


async def test_the_capacity_of_each_node_is_shown(service: Service) -> None:
    service.platform.containers.nodes = [NODE, dataclasses.replace(NODE, name="pve2", status="offline")]
    [first, second] = (await read_summary(service, call())).nodes
    assert (first.name, first.host_name, first.cpu_count, first.memory_used) == ("pve1", "lab", 8, 16e9)
    assert first.last_updated.ToDatetime(UTC) == NODE.last_updated
    assert (second.name, second.status) == ("pve2", "offline")


async def test_what_services_that_do_not_answer_know_is_left_out(service: Service) -> None:
    await service.deploy()
    service.platform.backups.down = True
    service.platform.containers.failure["list_capacity"] = UnavailableError("inventory does not answer")
    summary = await read_summary(service, call())
    assert summary.apps_total == 1
    assert not summary.HasField("apps_without_backup")
    assert list(summary.unavailable) == ["backups", "inventory"]
