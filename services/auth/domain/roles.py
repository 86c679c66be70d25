"""Credentials that may change who is an administrator."""

from __future__ import annotations

from services.auth.domain.errors import RoleChangeNotAllowedError
from services.common.identity.tokens import Caller


def check_role_change(issuer: Caller) -> None:
    """Refuse API tokens: the administrator that a leaked one creates would outlive it.

    Demoting counts as well, since a token may reset the password of an ordinary user, and so do deactivating and removing
    an administrator.

    Raises:
        RoleChangeNotAllowedError: the credentials are an API token.
    """
    if issuer.authenticated_at is None:
        raise RoleChangeNotAllowedError(
            "sign in to make or change an administrator's account; an API token may not"
        )
