"""Accounts in memory."""

from __future__ import annotations

from services.clients.auth.values import Quota, UserFacts
from services.common.core.errors import NotFoundError


class FakeUsers:
    """The accounts `known`, with the quotas in `quotas`; the ids in `staff` are administrators."""

    def __init__(self, *known: int) -> None:
        self.known = set(known)
        self.staff: set[int] = set()
        self.quotas: dict[int, Quota] = {}

    async def find_user(self, user_id: int) -> UserFacts:
        if user_id not in self.known:
            raise NotFoundError(f"there is no user {user_id}")
        return UserFacts(user_id, user_id in self.staff, self.quotas.get(user_id, Quota()))
