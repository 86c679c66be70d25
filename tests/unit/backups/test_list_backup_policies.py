"""ListBackupPolicies: all, by name."""

from __future__ import annotations

from proximity.backups.v1 import policy_pb2

from tests.unit.backups.platform import ADMIN, Platform, call_of


async def test_policies_are_listed_by_name(platform: Platform) -> None:
    for name in ("weekly", "nightly"):
        await platform.add_policy(name=name)
    answer = await platform.api.list_backup_policies(policy_pb2.ListBackupPoliciesRequest(), call_of(ADMIN))
    assert ([policy.name for policy in answer.policies], answer.total) == (["nightly", "weekly"], 2)
