"""Accounts, as use cases of other services need them."""

from __future__ import annotations

from typing import Protocol

from services.clients.auth.values import UserFacts


class Users(Protocol):
    """Accounts of AuthInternalService. Each method may raise UnavailableError."""

    async def find_user(self, user_id: int) -> UserFacts:
        """Read an account.

        Raises:
            NotFoundError: there is no such account.
        """
