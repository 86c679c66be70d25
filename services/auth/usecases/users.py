"""Accounts: the caller's own and, for administrators, those of all users."""

from __future__ import annotations

from dataclasses import dataclass

from services.auth.domain.adapters import PasswordHasher, RevocationSink
from services.auth.domain.entities import (
    Account,
    AccountChanges,
    AccountQuota,
    NewAccount,
    Page,
    ProfileChanges,
    Registration,
)
from services.auth.domain.errors import (
    InvalidProfileError,
    InvalidQuestionError,
    InvalidRegistrationError,
    UserNotFoundError,
)
from services.auth.domain.interfaces import AccountStore
from services.auth.domain.names import find_blank_names, find_name_fault, is_username
from services.auth.domain.registration import check_registration
from services.auth.domain.roles import check_role_change
from services.common.core.errors import Violation
from services.common.identity.tokens import Caller

UNUSABLE_HASH = "!"  # as imported accounts without a password have it; it matches nothing


@dataclass(frozen=True, kw_only=True)
class UserDependencies:
    """Dependencies of the use cases of accounts."""

    accounts: AccountStore
    hasher: PasswordHasher
    revocations: RevocationSink


async def get_current_user(deps: UserDependencies, user_id: int) -> Account:
    """Return the caller's account.

    Raises:
        UserNotFoundError: it was deleted meanwhile.
    """
    return await deps.accounts.get_account(user_id)


async def update_current_user(deps: UserDependencies, user_id: int, *, changes: ProfileChanges) -> Account:
    """Change the caller's profile.

    Raises:
        EmailTakenError: another account has the address.
        InvalidProfileError: the address is too long in its unique form, or nothing of a name can be seen.
    """
    if fault := find_name_fault(changes.email or ""):
        raise InvalidProfileError(f"email {fault}", violations=[Violation("email", fault)])
    if blank := find_blank_names(first_name=changes.first_name, last_name=changes.last_name):
        message = "; ".join(f"{each.field} {each.description}" for each in blank)
        raise InvalidProfileError(message, violations=blank)
    if not changes:
        return await deps.accounts.get_account(user_id)
    return await deps.accounts.update_profile(user_id, changes)


async def list_users(deps: UserDependencies, *, search: str, page: Page) -> tuple[list[Account], int]:
    """List accounts whose name or address contains `search`, by id; also return the total."""
    return await deps.accounts.list_accounts(search, page)


async def create_user(
    deps: UserDependencies,
    registration: Registration,
    *,
    is_staff: bool,
    quota: AccountQuota | None = None,
    issuer: Caller | None,
) -> Account:
    """Create an account; one without a password cannot sign in until a reset link is redeemed.

    `issuer` is the caller; None for a command on the server.

    Raises:
        InvalidRegistrationError: a field is refused.
        UsernameTakenError, EmailTakenError: there is such an account, or its name looks like another one's.
        RoleChangeNotAllowedError: an API token would create an administrator.
    """
    if is_staff and issuer is not None:
        check_role_change(issuer)
    if not is_username(registration.username):
        fault = f"{registration.username!r} is not 1 to 150 of letters, digits and @.+-_"
        raise InvalidRegistrationError(f"username: {fault}", violations=[Violation("username", fault)])
    if registration.password:
        check_registration(registration)
        # Hashing takes a tenth of a second of a core: unlimited, registrations would stop the service.
        async with deps.hasher.slot():
            password_hash = await deps.hasher.hash(registration.password)
    else:
        _check_names(registration)
        password_hash = UNUSABLE_HASH
    new = NewAccount(
        username=registration.username,
        email=registration.email,
        password_hash=password_hash,
        first_name=registration.first_name,
        last_name=registration.last_name,
        is_staff=is_staff,
        quota=quota,
    )
    return await deps.accounts.add_account(new)


async def update_user(
    deps: UserDependencies, user_id: int, *, changes: AccountChanges, issuer: Caller
) -> Account:
    """Promote, demote, activate or deactivate an account, or set its quota; lost rights end within a second.

    A smaller quota leaves apps that exist already.

    Raises:
        UserNotFoundError: there is no such account.
        LastAdminError: no active administrator would be left.
        RoleChangeNotAllowedError: an API token would promote it, or demote or deactivate an administrator.
    """
    account = await deps.accounts.get_account(user_id)
    # A leaked API token must not be able to make itself permanent.
    is_role_change = changes.is_staff is not None and changes.is_staff != account.is_staff
    if is_role_change or (account.is_staff and changes.is_active is False):
        check_role_change(issuer)
    account, revocations = await deps.accounts.update_account(user_id, changes)
    deps.revocations.note_revoked(revocations)
    return account


async def end_user_sessions(deps: UserDependencies, user_id: int) -> None:
    """End every session of an account; its API tokens stay.

    Raises:
        UserNotFoundError: there is no such account.
    """
    deps.revocations.note_revoked(await deps.accounts.end_user_sessions(user_id))


async def delete_user(
    deps: UserDependencies, user_id: int, *, apps_to: int | None = None, issuer: Caller
) -> None:
    """Remove an account with its sessions and API tokens; its apps go to `apps_to` or stay with administrators.

    Raises:
        UserNotFoundError: there is no such account.
        HeirInvalidError: `apps_to` is no other active account.
        LastAdminError: no active administrator would be left.
        RoleChangeNotAllowedError: an API token would remove an administrator.
    """
    if (await deps.accounts.get_account(user_id)).is_staff:
        check_role_change(issuer)
    deps.revocations.note_revoked(await deps.accounts.delete_account(user_id, apps_to=apps_to))


async def find_user(deps: UserDependencies, *, user_id: int | None, username: str | None) -> Account:
    """Return the account of an id or, without one, of a name.

    Raises:
        UserNotFoundError: there is none.
        InvalidQuestionError: neither was given.
    """
    if user_id is not None:
        return await deps.accounts.get_account(user_id)
    if not username:
        raise InvalidQuestionError("either id or username is needed")
    account = await deps.accounts.find_account(username)
    if account is None:
        raise UserNotFoundError(f"there is no user {username!r}")
    return account


def _check_names(registration: Registration) -> None:
    for name in ("username", "email"):
        if fault := find_name_fault(getattr(registration, name)):
            raise InvalidRegistrationError(f"{name} {fault}", violations=[Violation(name, fault)])
