"""The policies of a storm: apps of two owners every 20 s, those of one on two storages and with restore tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.chaos.topology import VAULT
from tests.chaos.users import User

# One archive of each app, so that its second run within the storm removes the first.
_SETTINGS = {"schedule": "* * * * *", "window_minutes": 0, "keep_last": 1}


async def add_policies(admin: User, owners: Sequence[int]) -> None:
    """Add the policies before anything strikes, for so few owners that the nodes can make all backups of a minute.

    Raises:
        RuntimeError: one is refused.
    """
    policies: tuple[dict[str, Any], ...] = (
        {"name": "one-storage", "applies_to": "owners", "owner_ids": list(owners[1:])},
        {
            "name": "two-storages",
            "applies_to": "owners",
            "owner_ids": list(owners[:1]),
            "storage": "backup",
            "second_storage": VAULT,
            "test_restore": "each",
        },
    )
    ids = []
    for policy in policies:
        made = await admin.write("/backup-policies", {**_SETTINGS, **policy}, action="schedule")
        if not made.is_accepted:
            raise RuntimeError(f"the policy was not added: {made.status} {made.answer}")
        ids.append(int(made.answer["id"]))
    admin.policies = ids


async def end_policies(admin: User) -> None:
    """Have no further runs, removals and restore tests.

    Raises:
        RuntimeError: that is refused.
    """
    for policy_id in admin.policies:
        path = f"/backup-policies/{policy_id}"
        ended = await admin.write(path, {"enabled": False}, action="reschedule", method="PATCH")
        if not ended.is_accepted:
            raise RuntimeError(f"the policy was not ended: {ended.status} {ended.answer}")
