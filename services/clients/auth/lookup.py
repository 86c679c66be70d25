"""Reads of accounts that callers share."""

from __future__ import annotations

from services.clients.auth.interface import Users
from services.common.core.errors import NotFoundError


async def has_user(users: Users, user_id: int) -> bool:
    """Whether there is such an account."""
    try:
        await users.find_user(user_id)
    # Any other refusal goes on to the caller: auth being away does not make a user unknown.
    except NotFoundError:
        return False
    return True
