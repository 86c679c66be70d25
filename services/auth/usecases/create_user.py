"""Accounts that administrators make."""

from __future__ import annotations

from services.auth.domain.entities import Account, AccountQuota, NewAccount, Registration
from services.auth.domain.errors import InvalidRegistrationError
from services.auth.domain.interfaces import AccountStore, PasswordHasher
from services.auth.domain.names import find_name_fault, is_username
from services.auth.domain.registration import check_registration
from services.auth.usecases.accounts import check_role_change
from services.common.core.errors import Violation
from services.common.identity.tokens import Caller

UNUSABLE_HASH = "!"  # as imported accounts without a password have it; it matches nothing


async def create_user(
    accounts: AccountStore,
    hasher: PasswordHasher,
    registration: Registration,
    *,
    is_staff: bool,
    quota: AccountQuota | None = None,
    issuer: Caller | None,
) -> Account:
    """Make an account; without a password nobody signs in until a reset link is redeemed.

    `issuer` is who asks; None for a command on the server.

    Raises:
        InvalidRegistrationError: a field is not good enough.
        UsernameTakenError, EmailTakenError: there is such an account, or its name looks like another one's.
        RoleChangeNotAllowedError: an API token would make an administrator.
    """
    if is_staff and issuer is not None:
        check_role_change(issuer)
    if not is_username(registration.username):
        fault = f"{registration.username!r} is not 1 to 150 of letters, digits and @.+-_"
        raise InvalidRegistrationError(f"username: {fault}", violations=[Violation("username", fault)])
    if registration.password:
        check_registration(registration)
        async with hasher.slot():
            password_hash = await hasher.hash(registration.password)
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
    account = await accounts.add_account(new)
    if account is None:
        raise AssertionError("an account was neither added nor refused")
    return account


def _check_names(registration: Registration) -> None:
    for name in ("username", "email"):
        if fault := find_name_fault(getattr(registration, name)):
            raise InvalidRegistrationError(f"{name} {fault}", violations=[Violation(name, fault)])
