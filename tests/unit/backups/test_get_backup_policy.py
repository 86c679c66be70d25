"""GetBackupPolicy: as it was made, or refused."""

from __future__ import annotations

import pytest
from proximity.backups.v1 import policy_pb2

from services.backups.domain.errors import PolicyNotFoundError
from tests.unit.backups.platform import ADMIN, Platform, call_of


async def test_a_policy_is_read_as_it_was_made(platform: Platform) -> None:
    made = await platform.add_policy(storage="nas", keep_yearly=3, backup_type="stop", compression="gzip")
    request = policy_pb2.GetBackupPolicyRequest(policy_id=made.id)
    assert await platform.api.get_backup_policy(request, call_of(ADMIN)) == made


async def test_a_policy_that_is_not_there_is_refused(platform: Platform) -> None:
    with pytest.raises(PolicyNotFoundError, match="no policy 7"):
        await platform.api.get_backup_policy(policy_pb2.GetBackupPolicyRequest(policy_id=7), call_of(ADMIN))
