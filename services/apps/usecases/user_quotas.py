"""Quotas of users, with the platform's default."""

from __future__ import annotations

from services.clients.auth.interface import Users
from services.clients.auth.values import Quota
from services.common.core.errors import NotFoundError


class UserQuotas:
    """Quotas by way of auth; implements `Quotas`.

    Args:
        users: the accounts.
        default: of users whose quota no administrator set; administrators have none.
    """

    def __init__(self, users: Users, default: Quota) -> None:
        self._users = users
        self._default = default

    async def get_quota(self, user_id: int) -> Quota:
        """Return the quota of a user; a removed user, as the owner of an orphaned app, may have no further app."""
        try:
            user = await self._users.find_user(user_id)
        except NotFoundError:
            return Quota(apps=0)
        return user.quota if user.is_staff else user.quota.over(self._default)
