"""Registration of users by themselves."""

from __future__ import annotations

from services.auth.domain.credentials import Client, SignedIn
from services.auth.domain.entities import NewAccount, Registration
from services.auth.domain.errors import RegistrationClosedError
from services.auth.domain.registration import RegistrationPolicy, Setup, check_registration
from services.auth.usecases.sign_in import SignInDependencies, begin_session, check_limits


async def get_setup(deps: SignInDependencies, policy: RegistrationPolicy) -> Setup:
    """Describe the installation to somebody who has no account yet."""
    has_admin = await deps.accounts.has_admin()
    return Setup(needs_admin=not has_admin, registration_open=policy.admits(has_admin=has_admin))


async def register_user(
    deps: SignInDependencies, registration: Registration, *, policy: RegistrationPolicy, client: Client
) -> SignedIn:
    """Create an account and sign in.

    Raises:
        RegistrationClosedError: only administrators create accounts.
        InvalidRegistrationError: a field is refused.
        UsernameTakenError, EmailTakenError: there is such an account.
        TooManyAttemptsError: too many registrations from this address.
    """
    # Where registration is open to all, the database need not be read for an administrator.
    if policy.is_open is not True and not policy.admits(has_admin=await deps.accounts.has_admin()):
        raise RegistrationClosedError("Registration is closed; ask an administrator for an invitation")
    check_registration(registration)
    limited = ((deps.limits.registration_address, client.address),)
    async with deps.hasher.slot():
        await check_limits(deps, limited)
        # Successes count as well, before the expensive hash: the number of accounts is what is limited.
        await deps.attempts.note(limited)
        password_hash = await deps.hasher.hash(registration.password)
    account = await deps.accounts.add_account(
        NewAccount(
            username=registration.username,
            email=registration.email,
            password_hash=password_hash,
            first_name=registration.first_name,
            last_name=registration.last_name,
            is_staff=None if policy.first_is_admin else False,
        )
    )
    return await begin_session(deps, account, client=client)
