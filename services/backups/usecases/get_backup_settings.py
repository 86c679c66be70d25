"""GetBackupSettings: what restore tests use now."""

from __future__ import annotations

from services.backups.domain.restore_tests import RestoreTestOptions
from services.backups.usecases.context import BackupDependencies


async def get_backup_settings(dependencies: BackupDependencies) -> RestoreTestOptions:
    """Return the options of restore tests: those of the environment where administrators set none."""
    return (await dependencies.settings.get_settings()).replace_in(dependencies.test_options)
