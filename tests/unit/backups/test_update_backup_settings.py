"""UpdateBackupSettings: what is named is checked against the nodes, stored, and used by the next test."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from proximity.backups.v1 import backups_service_pb2 as pb
from proximity.backups.v1 import policy_pb2

from services.backups.domain.errors import BackupSettingInvalidError
from services.backups.store.tables import operations
from services.backups.workflows import test_backup
from services.common.operations.lease import LeasedOperation
from tests.fakes.apps import APP
from tests.unit.backups.platform import ADMIN, Platform, call_of


async def change(platform: Platform, **fields: Any) -> policy_pb2.BackupSettings:
    request = policy_pb2.UpdateBackupSettingsRequest(**fields)
    return await platform.api.update_backup_settings(request, call_of(ADMIN))


async def test_the_next_test_uses_what_was_set(platform: Platform) -> None:
    changed = await change(platform, restore_test_bridge="vmbr9", restore_test_storage="local")
    assert (changed.restore_test_bridge, changed.restore_test_storage) == ("vmbr9", "local")
    changed = await change(platform, restore_test_hours="22:00-04:00")
    assert (changed.restore_test_bridge, changed.restore_test_hours) == ("vmbr9", "22:00-04:00")
    backup_id = await platform.make_completed()
    await platform.api.test_backup(pb.TestBackupRequest(app_id=APP.app_id, backup_id=backup_id), call_of())
    (order,) = platform.containers.places
    assert (order.bridge, order.storage) == ("vmbr9", "local")
    assert (await change(platform, restore_test_bridge="")).restore_test_bridge == ""


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        (
            "restore_test_bridge",
            "vmbr0",
            "no node has the bridge 'vmbr0' without ports and gateway: node pve1 has no",
        ),
        ("restore_test_storage", "nas", "no node has a storage 'nas' for containers"),
        ("restore_test_hours", "22-6", "must be a span of the day, such as 22:00-06:00, and not '22-6'"),
        ("restore_test_hours", "25:00-06:00", "must be a span of the day"),
    ],
)
async def test_what_no_node_has_is_refused(platform: Platform, field: str, value: str, problem: str) -> None:
    with pytest.raises(BackupSettingInvalidError, match=problem) as refused:
        await change(platform, restore_test_hours="01:00-02:00", **{field: value}) if (
            field != "restore_test_hours"
        ) else await change(platform, **{field: value})
    assert [one.field for one in refused.value.violations] == [field]
    assert (await change(platform)).restore_test_hours == "00:00-06:00", "nothing was stored"


async def test_a_test_ends_after_the_minutes_that_were_set_when_it_began(platform: Platform) -> None:
    assert (await change(platform)).restore_test_minutes == 50
    assert (await change(platform, restore_test_minutes=120)).restore_test_minutes == 120
    backup_id = await platform.make_completed()
    await platform.api.test_backup(pb.TestBackupRequest(app_id=APP.app_id, backup_id=backup_id), call_of())
    await change(platform, restore_test_minutes=5)
    query = sa.select(operations).where(operations.c.kind == test_backup.KIND)
    row = await platform.db.read(lambda connection: connection.execute(query).one())
    assert await platform.dependencies.tests.find_limits([row.id, "unknown"]) == {row.id: 7200}
    workflow = test_backup.build_workflow(platform.containers)
    operation: Any = SimpleNamespace(cancel_requested=False)
    for state, limit in ((row.state, 120), ({**row.state, "limit_s": 0}, 50)):  # 0: of an earlier release
        loaded = workflow.load_state(state)
        leased = LeasedOperation(None, workflow, operation=operation, steps=(), state=loaded)  # type: ignore[arg-type]
        assert leased.limit == timedelta(minutes=limit)
