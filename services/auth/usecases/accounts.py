"""Profiles and the administration of accounts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.auth.domain.entities import Account, AccountQuota, Page
from services.auth.domain.errors import (
    InvalidProfileError,
    InvalidQuestionError,
    RoleChangeNotAllowedError,
    UserNotFoundError,
)
from services.auth.domain.interfaces import AccountStore, RevocationSink
from services.auth.domain.names import find_name_fault
from services.common.core.errors import Violation
from services.common.identity.tokens import Caller


@dataclass(frozen=True)
class Accounts:
    """What these use cases share."""

    store: AccountStore
    sink: RevocationSink


async def get_current_user(accounts: Accounts, user_id: int) -> Account:
    """The account of who calls.

    Raises:
        UserNotFoundError: it was deleted meanwhile.
    """
    return await accounts.store.get_account(user_id)


async def update_current_user(accounts: Accounts, user_id: int, changes: Mapping[str, Any]) -> Account:
    """Change one's profile: what is not in `changes` stays.

    Raises:
        EmailTakenError: another account has the address.
        InvalidProfileError: the address cannot be kept.
    """
    if fault := find_name_fault(str(changes.get("email", ""))):
        raise InvalidProfileError(f"email {fault}", violations=[Violation("email", fault)])
    if not changes:
        return await accounts.store.get_account(user_id)
    return await accounts.store.update_profile(user_id, changes)


async def list_users(accounts: Accounts, search: str, page: Page) -> tuple[list[Account], int]:
    """Accounts by id, and how many there are in all."""
    return await accounts.store.list_accounts(search, page)


async def update_user(
    accounts: Accounts,
    user_id: int,
    *,
    is_staff: bool | None,
    is_active: bool | None,
    quota: AccountQuota | None = None,
    issuer: Caller,
) -> Account:
    """Promote, demote, activate or deactivate an account; what it may no longer do ends within a second.

    `quota` takes the place of the whole former one; apps that are there already stay, whatever it says.

    Raises:
        UserNotFoundError: there is no such account.
        LastAdminError: no active administrator would be left.
        RoleChangeNotAllowedError: an API token would promote it, or demote or deactivate an administrator.
    """
    account = await accounts.store.get_account(user_id)
    is_role_change = is_staff is not None and is_staff != account.is_staff
    if is_role_change or (account.is_staff and is_active is False):
        check_role_change(issuer)
    account, revocations = await accounts.store.update_account(
        user_id, is_staff=is_staff, is_active=is_active, quota=quota
    )
    accounts.sink.note_revoked(revocations)
    return account


def check_role_change(issuer: Caller) -> None:
    """Refuse API tokens: the administrator that a leaked one makes would outlive it.

    Demoting counts as well, since a token may reset the password of an ordinary user, and so do deactivating and removing
    an administrator.

    Raises:
        RoleChangeNotAllowedError: the credentials are an API token.
    """
    if issuer.authenticated_at is None:
        raise RoleChangeNotAllowedError(
            "sign in to make or change an administrator's account; an API token may not"
        )


async def end_user_sessions(accounts: Accounts, user_id: int) -> None:
    """End every session of an account; its API tokens stay.

    Raises:
        UserNotFoundError: there is no such account.
    """
    accounts.sink.note_revoked(await accounts.store.end_user_sessions(user_id))


async def delete_user(
    accounts: Accounts, user_id: int, *, apps_to: int | None = None, issuer: Caller
) -> None:
    """Remove an account with its sessions and API tokens; its apps go to `apps_to` or stay with administrators.

    Raises:
        UserNotFoundError: there is no such account.
        HeirInvalidError: `apps_to` is no other active account.
        LastAdminError: no active administrator would be left.
        RoleChangeNotAllowedError: an API token would remove an administrator.
    """
    if (await accounts.store.get_account(user_id)).is_staff:
        check_role_change(issuer)
    accounts.sink.note_revoked(await accounts.store.delete_account(user_id, apps_to=apps_to))


async def find_user(accounts: Accounts, user_id: int | None, username: str | None) -> Account:
    """The account of an id or, without one, of a name.

    Raises:
        UserNotFoundError: there is none.
        InvalidQuestionError: neither was given.
    """
    if user_id is not None:
        return await accounts.store.get_account(user_id)
    if not username:
        raise InvalidQuestionError("either id or username is needed")
    account = await accounts.store.find_account(username)
    if account is None:
        raise UserNotFoundError(f"there is no user {username!r}")
    return account
