"""protobuf of settings <-> domain."""

from __future__ import annotations

from proximity.backups.v1 import policy_pb2 as pb

from services.backups.domain.restore_tests import RestoreTestOptions

_PREFIX = "restore_test_"


def parse_setting_changes(request: pb.UpdateBackupSettingsRequest) -> dict[str, str]:
    """Parse the settings that a request names."""
    return {field.name.removeprefix(_PREFIX): value.strip() for field, value in request.ListFields()}


def render_settings(options: RestoreTestOptions) -> pb.BackupSettings:
    """Render what restore tests use."""
    return pb.BackupSettings(
        restore_test_bridge=options.bridge,
        restore_test_storage=options.storage,
        restore_test_hours=str(options.hours),
        restore_test_minutes=int(options.limit.total_seconds() // 60),
    )
