"""Registration of users by themselves."""

from __future__ import annotations

from services.auth.domain.entities import Client, NewAccount, Registration, SignedIn
from services.auth.domain.errors import RegistrationClosedError
from services.auth.domain.registration import RegistrationPolicy, Setup, check_registration
from services.auth.usecases.sign_in import SignIn, begin_session, check_limits


async def get_setup(auth: SignIn, policy: RegistrationPolicy) -> Setup:
    """Describe the installation to somebody who has no account yet."""
    has_admin = await auth.accounts.has_admin()
    return Setup(needs_admin=not has_admin, registration_open=policy.admits(has_admin=has_admin))


async def register_user(
    auth: SignIn, policy: RegistrationPolicy, registration: Registration, *, client: Client
) -> SignedIn:
    """Make an account and sign in.

    Raises:
        RegistrationClosedError: accounts are made by the administrator.
        InvalidRegistrationError: a field is not good enough.
        UsernameTakenError, EmailTakenError: there is such an account.
        TooManyAttemptsError: too many registrations from this address.
    """
    if policy.is_open is not True and not policy.admits(has_admin=await auth.accounts.has_admin()):
        raise RegistrationClosedError("Registration is closed; ask an administrator for an invitation")
    check_registration(registration)
    limited = ((auth.limits.registration_address, client.address),)
    async with auth.hasher.slot():
        await check_limits(auth, limited)
        await auth.attempts.note(limited)
        password_hash = await auth.hasher.hash(registration.password)
    account = await auth.accounts.add_account(
        NewAccount(
            username=registration.username,
            email=registration.email,
            password_hash=password_hash,
            first_name=registration.first_name,
            last_name=registration.last_name,
            is_staff=None if policy.first_is_admin else False,
        )
    )
    if account is None:
        raise AssertionError("an account was neither added nor refused")
    return await begin_session(auth, account, client=client)
