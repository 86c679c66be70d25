"""One-time links: a new password for an account, or a new account for an invited person.

A link carries 256 random bits, of which only the hash is stored. It is valid for an hour and for one use. A link of an
account ends with any other change of its password or role and when it is deactivated, and a new one takes its place. All
links of an administrator end when they lose that role.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.auth.domain.adapters import PasswordHasher, RevocationSink
from services.auth.domain.credentials import IssuedLink, NewOneTimeLink, OneTimeLink, hash_token
from services.auth.domain.entities import Account, NewAccount, Registration
from services.auth.domain.errors import (
    AccountInactiveError,
    InvalidPasswordError,
    InvalidRedemptionError,
    LinkInvalidError,
    ResetNotAllowedError,
)
from services.auth.domain.interfaces import AccountStore, AttemptStore, OneTimeLinkStore
from services.auth.domain.limits import SignInLimits
from services.auth.domain.names import name_administrator, normalize_name
from services.auth.domain.passwords import find_faults
from services.auth.domain.registration import check_registration
from services.auth.domain.roles import check_role_change
from services.auth.usecases.sign_in import check_limits, forget_failures
from services.common.core.clock import Clock, now
from services.common.core.errors import Violation
from services.common.identity.tokens import Caller

LINK_TTL = timedelta(hours=1)  # enough to pass it on by hand, too short for one that is found later
PAGE = "/api/auth/redeem"  # served by the gateway; the fragment after # never leaves the browser
SERVER = "a command on the server"


@dataclass(frozen=True, kw_only=True)
class LinkDependencies:
    """Dependencies of the use cases of one-time links; links begin with `public_url`."""

    links: OneTimeLinkStore
    accounts: AccountStore
    attempts: AttemptStore
    hasher: PasswordHasher
    revocations: RevocationSink
    limits: SignInLimits
    public_url: str = ""
    clock: Clock = now


async def create_reset_link(deps: LinkDependencies, user_id: int, *, issuer: Caller) -> IssuedLink:
    """Create a link that sets the password of an account, in place of an earlier one.

    The guard demands a recent sign-in of sessions. API tokens have none, so they are refused where the account is
    an administrator's: a leaked token would give access to every administrator's account.

    Raises:
        UserNotFoundError: there is no such account.
        AccountInactiveError: it is deactivated.
        ResetNotAllowedError: it is an administrator's, and the credentials are an API token.
    """
    account = await deps.accounts.get_account(user_id)
    if account.is_staff and issuer.authenticated_at is None:
        raise ResetNotAllowedError(
            f"{account.username!r} is an administrator: sign in to make this link; an API token may not"
        )
    return await issue_reset_link(deps, account, by=name_issuer(issuer))


async def issue_reset_link(deps: LinkDependencies, account: Account, *, by: str) -> IssuedLink:
    """Create a link that sets the password of an account; `by` names the issuer.

    Raises:
        AccountInactiveError: the account is deactivated.
    """
    if not account.is_active:
        raise AccountInactiveError(f"{account.username!r} is deactivated; activate the account first")
    moment = deps.clock()
    notice = f"{_render_time(moment)}: {by} made a link that resets your password."
    return await _issue(deps, moment, by=by, user_id=account.id, notice=notice)


async def create_invitation(deps: LinkDependencies, *, is_staff: bool, issuer: Caller) -> IssuedLink:
    """Create a link that creates an account.

    Raises:
        RoleChangeNotAllowedError: it would be an administrator's, and the credentials are an API token.
    """
    if is_staff:
        check_role_change(issuer)
    return await issue_invitation(deps, is_staff=is_staff, by=name_issuer(issuer))


async def issue_invitation(deps: LinkDependencies, *, is_staff: bool, by: str) -> IssuedLink:
    """Create a link that creates an account; `by` names the issuer."""
    return await _issue(deps, deps.clock(), by=by, is_staff=is_staff)


async def reset_password(
    deps: LinkDependencies, token: str, *, redemption: Registration, address: str
) -> str:
    """Redeem a link and return a sentence on the result. A refused field leaves the link as it is.

    Raises:
        LinkInvalidError: it cannot be redeemed.
        InvalidPasswordError: the password is refused.
        InvalidRedemptionError, InvalidRegistrationError: the fields do not fit the link.
        UsernameTakenError, EmailTakenError: the account of an invitation exists.
        TooManyAttemptsError: too many wrong links came from this address.
    """
    # By address only, since an unknown link names no account.
    limited = ((deps.limits.login_address, address),)
    await check_limits(deps, limited)
    token_hash = hash_token(token)
    # Before the password is hashed, which costs 64 MiB: guessed links must be cheap to refuse.
    link = await deps.links.find_link(token_hash)
    if link is None:
        await deps.attempts.note(limited)
        raise LinkInvalidError
    if link.user_id is None:
        return await _redeem_invitation(deps, token_hash, link=link, redemption=redemption)
    account = await deps.accounts.get_account(link.user_id)
    _check_reset(account, redemption)
    password_hash = await _hash(deps, redemption.password)
    await _set_password(deps, account, token_hash=token_hash, password_hash=password_hash, by=link.issued_by)
    return f"The password of {account.username} is set; sign in with it."


async def set_password(deps: LinkDependencies, account: Account, *, password: str, by: str) -> None:
    """Set the password of an account as a link would, for a command on the server.

    Raises:
        InvalidPasswordError: it is refused.
        AccountInactiveError: the account is deactivated.
    """
    redemption = Registration(
        username="",
        email="",
        password=password,
        password_field="new_password",  # noqa: S106 - the name of the field
    )
    _check_reset(account, redemption)
    password_hash = await _hash(deps, password)
    issued = await issue_reset_link(deps, account, by=by)
    await _set_password(
        deps, account, token_hash=hash_token(issued.token), password_hash=password_hash, by=by
    )


def name_issuer(issuer: Caller) -> str:
    """Return the name of an issuer, for the user of the link and for the audit log."""
    return name_administrator(issuer.user.username) if issuer.user else SERVER


async def _issue(
    deps: LinkDependencies,
    moment: datetime,
    *,
    by: str,
    user_id: int | None = None,
    is_staff: bool = False,
    notice: str = "",
) -> IssuedLink:
    token, expires_at = secrets.token_urlsafe(32), moment + LINK_TTL
    new = NewOneTimeLink(
        token_hash=hash_token(token), user_id=user_id, is_staff=is_staff, issued_by=by, expires_at=expires_at
    )
    await deps.links.add_link(new, notice=notice)
    return IssuedLink(token, f"{deps.public_url}{PAGE}#{token}", expires_at)


async def _redeem_invitation(
    deps: LinkDependencies, token_hash: str, *, link: OneTimeLink, redemption: Registration
) -> str:
    if not redemption.username:
        fault = "is required: the link is an invitation"
        raise InvalidRedemptionError(f"username {fault}", violations=[Violation("username", fault)])
    check_registration(redemption)
    new = NewAccount(
        username=redemption.username,
        email=redemption.email,
        password_hash=await _hash(deps, redemption.password),
        first_name=redemption.first_name,
        last_name=redemption.last_name,
        is_staff=link.is_staff,
    )
    account = await deps.links.redeem_invitation(token_hash, new)
    return f"The account {account.username} was created; sign in with it."


def _check_reset(account: Account, redemption: Registration) -> None:
    faults = [
        Violation(name, "is for invitations only; this link resets a password")
        for name in ("email", "first_name", "last_name")
        if getattr(redemption, name)
    ]
    if redemption.username and normalize_name(redemption.username) != normalize_name(account.username):
        faults.append(Violation("username", f"{redemption.username!r} is not the account of this link"))
    if faults:
        message = "; ".join(f"{fault.field} {fault.description}" for fault in faults)
        raise InvalidRedemptionError(message, violations=faults)
    if found := find_faults(redemption.password, account.username):
        raise InvalidPasswordError(
            "; ".join(f"new_password {fault}" for fault in found),
            violations=[Violation("new_password", fault) for fault in found],
        )


async def _hash(deps: LinkDependencies, password: str) -> str:
    async with deps.hasher.slot():
        return await deps.hasher.hash(password)


async def _set_password(
    deps: LinkDependencies, account: Account, *, token_hash: str, password_hash: str, by: str
) -> None:
    notice = (
        f"{_render_time(deps.clock())}: your password was reset with a link of {by}; all sessions and "
        "API tokens were ended."
    )
    _, revocations = await deps.links.redeem_reset(token_hash, password_hash=password_hash, notice=notice)
    deps.revocations.note_revoked(revocations)
    await forget_failures(deps, account.username)


def _render_time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")
