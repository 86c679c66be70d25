"""protobuf <-> domain."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from proximity.auth.v1 import auth_service_pb2 as pb
from proximity.auth.v1 import events_pb2, user_pb2

from services.auth.domain.entities import (
    Account,
    AccountQuota,
    ApiToken,
    AuditEntry,
    Client,
    IssuedLink,
    NewAuditEntry,
    Page,
    Registration,
    SignedIn,
    SigningKey,
    UserSession,
)
from services.auth.domain.registration import Setup
from services.common.core.errors import invalid_field
from services.common.core.timestamps import render_time
from services.common.rpc.addresses import parse_address, parse_network
from services.common.rpc.call import Call
from services.common.rpc.interceptors.validation import check_message

_DEFAULT_PER_PAGE = 20


def parse_registration(request: pb.RegisterUserRequest) -> Registration:
    """What is asked for; the password is `password` or `password1`."""
    return Registration(
        username=request.username,
        email=request.email,
        password=request.password or request.password1,
        password_field="password" if request.password or not request.password1 else "password1",
        repeated=request.password2,
        first_name=request.first_name,
        last_name=request.last_name,
    )


def parse_new_user(request: pb.CreateUserRequest) -> Registration:
    """The account that an administrator makes."""
    return Registration(
        username=request.username,
        email=request.email,
        password=request.password,
        first_name=request.first_name,
        last_name=request.last_name,
    )


def parse_redemption(request: pb.ResetPasswordRequest) -> Registration:
    """The new password, and with an invitation the new account."""
    return Registration(
        username=request.username,
        email=request.email,
        password=request.new_password,
        password_field="new_password",  # noqa: S106 - the name of the field
        first_name=request.first_name,
        last_name=request.last_name,
    )


def parse_profile(request: pb.UpdateCurrentUserRequest) -> dict[str, Any]:
    """The fields that were sent."""
    return {field.name: value for field, value in request.ListFields()}


def parse_page(request: pb.ListUsersRequest | pb.ListAuditEntriesRequest) -> Page:
    """The page that is asked for."""
    number = request.page if request.HasField("page") else 1
    return Page(number, request.per_page if request.HasField("per_page") else _DEFAULT_PER_PAGE)


def parse_time(message: Timestamp, field: str) -> datetime:
    """A time in UTC.

    Raises:
        InvalidError: it is beyond the years 1 to 9999.
    """
    try:
        return message.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise invalid_field(field, f"{message.seconds} s is no time from year 1 to 9999") from None


def parse_client(call: Call) -> Client:
    """The program that signs in."""
    return Client(parse_network(call.address), call.metadata.get("user-agent", ""))


def parse_token_id(name: str) -> int | None:
    """The id of an API token, from the name that it has as credentials (`api-7`); None for other credentials."""
    number = name.removeprefix("api-")
    return int(number) if number != name and number.isdigit() else None


def parse_audit_record(record: events_pb2.AuditRecorded) -> NewAuditEntry:
    """A reported call, no field longer than its column."""
    identity = record.id or hashlib.sha256(record.SerializeToString(deterministic=True)).hexdigest()
    return NewAuditEntry(
        message_id=identity[:100],
        timestamp=parse_time(record.timestamp, "timestamp"),
        user_id=record.user_id if record.HasField("user_id") else None,
        username=record.username[:150],
        action=record.action[:100],
        target=record.target[:500],
        address=parse_address(record.address),
        outcome=record.outcome[:40],
    )


def parse_quota(message: user_pb2.Quota) -> AccountQuota:
    """What a user's apps may take together.

    Raises:
        InvalidError: a value is out of its range.
    """
    check_message(message, prefix="quota.")
    return AccountQuota(**{field.name: value for field, value in message.ListFields()})


def render_quota(quota: AccountQuota) -> user_pb2.Quota | None:
    """A quota, or nothing where none was set."""
    values = {name: value for name, value in vars(quota).items() if value is not None}
    return user_pb2.Quota(**values) if values else None


def render_user(account: Account) -> user_pb2.User:
    """An account as the API shows it."""
    message = user_pb2.User(
        id=account.id,
        pk=account.id,
        username=account.username,
        email=account.email,
        first_name=account.first_name,
        last_name=account.last_name,
        avatar=account.avatar,
        bio=account.bio,
        preferred_theme=account.preferred_theme,
        is_staff=account.is_staff,
        is_active=account.is_active,
        date_joined=render_time(account.date_joined),
        quota=render_quota(account.quota),
    )
    if account.last_login is not None:
        message.last_login.CopyFrom(render_time(account.last_login))
    return message


def render_session(signed_in: SignedIn) -> user_pb2.Session:
    """What a sign-in gives."""
    return user_pb2.Session(
        access=signed_in.access,
        refresh=signed_in.refresh,
        expires_in=signed_in.expires_in,
        user=render_user(signed_in.account),
        notices=filter(None, [signed_in.account.notice]),
    )


def render_link(issued: IssuedLink) -> pb.OneTimeLink:
    """A one-time link, in the one answer that shows it."""
    return pb.OneTimeLink(token=issued.token, link=issued.link, expires_at=render_time(issued.expires_at))


def render_setup(setup: Setup) -> pb.Setup:
    """What somebody without an account has to know."""
    return pb.Setup(
        needs_admin=setup.needs_admin,
        registration_open=setup.registration_open,
        password_rules=pb.PasswordRules(
            min_length=setup.min_password_length,
            max_length=setup.max_password_length,
            descriptions=setup.password_rules,
        ),
    )


def render_token_pair(signed_in: SignedIn) -> user_pb2.TokenPair:
    """What a refresh gives."""
    return user_pb2.TokenPair(
        access=signed_in.access, refresh=signed_in.refresh, expires_in=signed_in.expires_in
    )


def render_user_session(session: UserSession, *, current: str) -> user_pb2.UserSession:
    """A session; `current` is the id of the one that asks."""
    return user_pb2.UserSession(
        id=session.id,
        address=session.client.address,
        user_agent=session.client.user_agent,
        created_at=render_time(session.created_at),
        last_used_at=render_time(session.last_used_at),
        authenticated_at=render_time(session.authenticated_at),
        expires_at=render_time(session.expires_at),
        is_current=session.id == current,
    )


def render_sessions(sessions: Sequence[UserSession], *, current: str) -> pb.ListSessionsResponse:
    """A user's sessions."""
    rendered = [render_user_session(session, current=current) for session in sessions]
    return pb.ListSessionsResponse(sessions=rendered, total=len(rendered))


def render_users(accounts: Sequence[Account], total: int, page: Page) -> pb.ListUsersResponse:
    """A page of accounts."""
    users = [render_user(account) for account in accounts]
    return pb.ListUsersResponse(users=users, total=total, page=page.number, per_page=page.size)


def render_api_token(token: ApiToken, *, secret: str = "") -> user_pb2.ApiToken:
    """An API token; with the token itself in the one answer that shows it."""
    message = user_pb2.ApiToken(
        id=token.id,
        name=token.name,
        scopes=token.scopes,
        created_at=render_time(token.created_at),
        expires_at=render_time(token.expires_at),
    )
    if token.last_used_at is not None:
        message.last_used_at.CopyFrom(render_time(token.last_used_at))
    if secret:
        message.token = secret
    return message


def render_identity(token: ApiToken, account: Account) -> pb.AuthenticateApiTokenResponse:
    """Whose an API token is and what it may do."""
    return pb.AuthenticateApiTokenResponse(
        user_id=account.id,
        username=account.username,
        is_staff=account.is_staff,
        scopes=token.scopes,
        expires_at=render_time(token.expires_at),
        token_id=token.id,
    )


def render_audit_entries(
    entries: Sequence[AuditEntry], total: int, page: Page
) -> pb.ListAuditEntriesResponse:
    """A page of the audit log."""
    rendered = [_render_audit_entry(entry) for entry in entries]
    return pb.ListAuditEntriesResponse(entries=rendered, total=total, page=page.number, per_page=page.size)


def _render_audit_entry(entry: AuditEntry) -> user_pb2.AuditEntry:
    return user_pb2.AuditEntry(
        id=entry.id,
        timestamp=render_time(entry.timestamp),
        user_id=entry.user_id,
        username=entry.username,
        action=entry.action,
        target=entry.target,
        address=entry.address,
        outcome=entry.outcome,
        hash=entry.hash,
    )


def render_jwks(keys: Sequence[SigningKey]) -> user_pb2.Jwks:
    """The public keys as a JSON Web Key Set."""
    return user_pb2.Jwks(
        keys=[
            user_pb2.Jwk(kty="OKP", crv="Ed25519", kid=key.kid, x=key.x, alg="EdDSA", use="sig")
            for key in keys
        ]
    )
