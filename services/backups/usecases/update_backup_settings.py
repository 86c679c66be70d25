"""UpdateBackupSettings: change what restore tests use."""

from __future__ import annotations

from services.backups.domain.errors import BackupSettingInvalidError
from services.backups.domain.restore_tests import RestoreTestOptions, parse_hours
from services.backups.domain.settings import RestoreTestSettings
from services.backups.usecases.context import BackupDependencies
from services.backups.usecases.get_backup_settings import get_backup_settings
from services.common.core.errors import Violation

_SHOWN = 3  # problems of nodes in a refusal


async def update_backup_settings(
    dependencies: BackupDependencies, changes: RestoreTestSettings
) -> RestoreTestOptions:
    """Store the settings that change; a place is compared with the nodes first.

    Raises:
        BackupSettingInvalidError: no node has the bridge isolated, or the storage; the hours are no span of the day.
    """
    if changes.hours is not None:
        try:
            parse_hours(changes.hours)
        except ValueError as error:
            raise _refuse("restore_test_hours", str(error)) from error
    bridge, storage = changes.bridge or "", changes.storage or ""
    if bridge or storage:
        places = await dependencies.containers.check_restore_test_place(bridge=bridge, storage=storage)
        if bridge and not places.bridge_nodes:
            problems = "; ".join(places.bridge_problems[:_SHOWN]) or "there is no host"
            raise _refuse(
                "restore_test_bridge",
                f"no node has the bridge {bridge!r} without ports and gateway: {problems}; make one, or leave it empty",
            )
        if storage and not places.storage_nodes:
            raise _refuse(
                "restore_test_storage", f"no node has a storage {storage!r} for containers; name another one"
            )
    await dependencies.settings.update_settings(changes)
    return await get_backup_settings(dependencies)


def _refuse(name: str, problem: str) -> BackupSettingInvalidError:
    return BackupSettingInvalidError(f"{name}: {problem}", violations=[Violation(name, problem)])
