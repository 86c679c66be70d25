"""GetBackupPolicyLimits: what administrators allow in policies of users."""

from __future__ import annotations

from google.protobuf import empty_pb2

from tests.unit.backups.platform import Platform, call_of


async def test_policies_of_users_are_not_allowed_at_first(platform: Platform) -> None:
    limits = await platform.api.get_backup_policy_limits(empty_pb2.Empty(), call_of())
    assert (limits.allowed, limits.max_policies, limits.min_interval_minutes) == (False, 3, 1440)
    assert (limits.max_kept, list(limits.storages)) == (30, [])
