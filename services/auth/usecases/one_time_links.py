"""One-time links: a new password for an account, or a new account for somebody who was invited.

A link carries 256 random bits, of which only the hash is stored. It is valid for an hour and for one use. A link of an
account ends with any other change of its password or role and when it is deactivated, and a new one takes its place. All
links that an administrator made end when they are no administrator any more.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.auth.domain.entities import (
    Account,
    IssuedLink,
    NewAccount,
    NewOneTimeLink,
    OneTimeLink,
    Registration,
    hash_token,
)
from services.auth.domain.errors import (
    AccountInactiveError,
    InvalidPasswordError,
    InvalidRedemptionError,
    LinkInvalidError,
    ResetNotAllowedError,
)
from services.auth.domain.interfaces import (
    AccountStore,
    AttemptStore,
    OneTimeLinkStore,
    PasswordHasher,
    RevocationSink,
)
from services.auth.domain.names import name_administrator, normalize_name
from services.auth.domain.passwords import find_faults
from services.auth.domain.registration import check_registration
from services.auth.usecases.accounts import check_role_change
from services.auth.usecases.sign_in import SignInLimits, check_limits
from services.common.core.clock import Clock, now
from services.common.core.errors import Violation
from services.common.identity.tokens import Caller

LINK_TTL = timedelta(hours=1)  # time to pass it on by hand, short enough for one that is found later
PAGE = "/api/auth/redeem"  # served by the gateway; what follows # never leaves the browser
SERVER = "a command on the server"


@dataclass(frozen=True, kw_only=True)
class OneTimeLinks:
    """What these use cases share; `public_url` is what links begin with."""

    store: OneTimeLinkStore
    accounts: AccountStore
    attempts: AttemptStore
    hasher: PasswordHasher
    sink: RevocationSink
    limits: SignInLimits
    public_url: str = ""
    clock: Clock = now


async def create_reset_link(links: OneTimeLinks, user_id: int, *, issuer: Caller) -> IssuedLink:
    """Make a link that sets the password of an account, in place of an earlier one.

    The guard demands a recent sign-in of sessions. API tokens have none, so that they are refused where the account is
    an administrator's: else a leaked token would be worth every administrator's account.

    Raises:
        UserNotFoundError: there is no such account.
        AccountInactiveError: it is deactivated.
        ResetNotAllowedError: it is an administrator's, and the credentials are an API token.
    """
    account = await links.accounts.get_account(user_id)
    if account.is_staff and issuer.authenticated_at is None:
        raise ResetNotAllowedError(
            f"{account.username!r} is an administrator: sign in to make this link; an API token may not"
        )
    return await issue_reset_link(links, account, by=name_issuer(issuer))


async def issue_reset_link(links: OneTimeLinks, account: Account, *, by: str) -> IssuedLink:
    """Make a link that sets the password of an account; `by` says who made it.

    Raises:
        AccountInactiveError: the account is deactivated.
    """
    if not account.is_active:
        raise AccountInactiveError(f"{account.username!r} is deactivated; activate the account first")
    moment = links.clock()
    notice = f"{_render_time(moment)}: {by} made a link that resets your password."
    return await _issue(links, moment, by=by, user_id=account.id, notice=notice)


async def create_invitation(links: OneTimeLinks, *, is_staff: bool, issuer: Caller) -> IssuedLink:
    """Make a link with which somebody makes an account.

    Raises:
        RoleChangeNotAllowedError: it would be an administrator's, and the credentials are an API token.
    """
    if is_staff:
        check_role_change(issuer)
    return await invite(links, is_staff=is_staff, by=name_issuer(issuer))


async def invite(links: OneTimeLinks, *, is_staff: bool, by: str) -> IssuedLink:
    """Make a link with which somebody makes an account; `by` says who made it."""
    return await _issue(links, links.clock(), by=by, is_staff=is_staff)


async def reset_password(links: OneTimeLinks, token: str, redemption: Registration, *, address: str) -> str:
    """Redeem a link and return what was done, a sentence. A refused field leaves the link as it is.

    Raises:
        LinkInvalidError: it cannot be redeemed.
        InvalidPasswordError: the password is not good enough.
        InvalidRedemptionError, InvalidRegistrationError: the fields do not fit the link.
        UsernameTakenError, EmailTakenError: the account of an invitation exists.
        TooManyAttemptsError: too many wrong links came from this address.
    """
    limited = ((links.limits.login_address, address),)
    await check_limits(links, limited)
    token_hash = hash_token(token)
    link = await links.store.find_link(token_hash)
    if link is None:
        await links.attempts.note(limited)
        raise LinkInvalidError
    if link.user_id is None:
        return await _redeem_invitation(links, token_hash, link, redemption)
    account = await links.accounts.get_account(link.user_id)
    _check_reset(account, redemption)
    password_hash = await _hash(links, redemption.password)
    await _set_password(links, account, token_hash, password_hash=password_hash, by=link.issued_by)
    return f"The password of {account.username} is set; sign in with it."


async def set_password(links: OneTimeLinks, account: Account, password: str, *, by: str) -> None:
    """Set the password of an account as a link would, for who may without one.

    Raises:
        InvalidPasswordError: it is not good enough.
        AccountInactiveError: the account is deactivated.
    """
    redemption = Registration(
        username="",
        email="",
        password=password,
        password_field="new_password",  # noqa: S106 - the name of the field
    )
    _check_reset(account, redemption)
    password_hash = await _hash(links, password)
    issued = await issue_reset_link(links, account, by=by)
    await _set_password(links, account, hash_token(issued.token), password_hash=password_hash, by=by)


def name_issuer(issuer: Caller) -> str:
    """Name who makes a link, for its user and for the audit log."""
    return name_administrator(issuer.user.username) if issuer.user else SERVER


async def _issue(
    links: OneTimeLinks,
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
    await links.store.add_link(new, notice=notice)
    return IssuedLink(token, f"{links.public_url}{PAGE}#{token}", expires_at)


async def _redeem_invitation(
    links: OneTimeLinks, token_hash: str, link: OneTimeLink, redemption: Registration
) -> str:
    if not redemption.username:
        fault = "is required: the link is an invitation"
        raise InvalidRedemptionError(f"username {fault}", violations=[Violation("username", fault)])
    check_registration(redemption)
    new = NewAccount(
        username=redemption.username,
        email=redemption.email,
        password_hash=await _hash(links, redemption.password),
        first_name=redemption.first_name,
        last_name=redemption.last_name,
        is_staff=link.is_staff,
    )
    account = await links.store.redeem_invitation(token_hash, new)
    return f"The account {account.username} is made; sign in with it."


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


async def _hash(links: OneTimeLinks, password: str) -> str:
    async with links.hasher.slot():
        return await links.hasher.hash(password)


async def _set_password(
    links: OneTimeLinks, account: Account, token_hash: str, *, password_hash: str, by: str
) -> None:
    notice = (
        f"{_render_time(links.clock())}: your password was reset with a link of {by}; all sessions and "
        "API tokens were ended."
    )
    _, revocations = await links.store.redeem_reset(token_hash, password_hash=password_hash, notice=notice)
    links.sink.note_revoked(revocations)
    limit = links.limits.login_account
    await links.attempts.clear([limit.key_of(normalize_name(account.username))])


def _render_time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")
