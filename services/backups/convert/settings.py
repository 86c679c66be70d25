"""protobuf of settings <-> domain."""

from __future__ import annotations

from typing import Any

from proximity.backups.v1 import policy_pb2 as pb

from services.backups.domain.restore_tests import RestoreTestOptions
from services.backups.domain.settings import RestoreTestSettings
from services.common.rpc.handlers import parse_patch

_NAMES = {name: f"restore_test_{name}" for name in ("bridge", "storage", "hours", "minutes")}


def parse_setting_changes(request: pb.UpdateBackupSettingsRequest) -> RestoreTestSettings:
    """Parse the settings that a request changes."""
    changes = parse_patch(request, RestoreTestSettings, names=_NAMES)
    given: dict[str, Any] = {
        name: value.strip() if isinstance(value, str) else value for name, value in changes.given.items()
    }
    return RestoreTestSettings(**given)


def render_settings(options: RestoreTestOptions) -> pb.BackupSettings:
    """Render what restore tests use."""
    return pb.BackupSettings(
        restore_test_bridge=options.bridge,
        restore_test_storage=options.storage,
        restore_test_hours=str(options.hours),
        restore_test_minutes=int(options.limit.total_seconds() // 60),
    )
