"""GetBackupSettings: the environment counts until an administrator sets something else."""

from __future__ import annotations

import dataclasses

from google.protobuf import empty_pb2

from services.backups.domain.restore_tests import RestoreTestOptions, parse_hours
from services.backups.domain.settings import RestoreTestSettings
from services.backups.usecases.get_backup_settings import get_backup_settings
from tests.unit.backups.platform import ADMIN, Platform, call_of


async def test_the_environment_is_the_default(platform: Platform) -> None:
    found = await platform.api.get_backup_settings(empty_pb2.Empty(), call_of(ADMIN))
    assert (found.restore_test_bridge, found.restore_test_storage) == ("", "")
    assert (found.restore_test_hours, found.restore_test_minutes) == ("00:00-06:00", 50)
    options = RestoreTestOptions(bridge="vmbr7", storage="tank", hours=parse_hours("22:00-23:00"))
    dependencies = dataclasses.replace(platform.dependencies, test_options=options)
    assert await get_backup_settings(dependencies) == options
    await platform.dependencies.settings.update_settings(RestoreTestSettings(bridge=""))
    assert await get_backup_settings(dependencies) == dataclasses.replace(options, bridge="")
