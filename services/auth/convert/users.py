"""Accounts, their registration and one-time links."""

from __future__ import annotations

from collections.abc import Sequence

from proximity.auth.v1 import auth_service_pb2 as pb
from proximity.auth.v1 import user_pb2

from services.auth.domain.credentials import IssuedLink
from services.auth.domain.entities import (
    Account,
    AccountChanges,
    AccountQuota,
    Page,
    ProfileChanges,
    Registration,
)
from services.auth.domain.registration import Setup
from services.common.rpc.handlers import parse_patch
from services.common.rpc.interceptors.validation import check_message
from services.common.rpc.responses.rendered import render_time


def parse_registration(request: pb.RegisterUserRequest) -> Registration:
    """Parse the fields of a new account; the password is `password` or `password1`."""
    return Registration(
        username=request.username,
        email=request.email,
        # Forms that have the password entered twice send it under two other names.
        password=request.password or request.password1,
        password_field="password" if request.password or not request.password1 else "password1",
        repeated=request.password2,
        first_name=request.first_name,
        last_name=request.last_name,
    )


def parse_new_user(request: pb.CreateUserRequest) -> Registration:
    """Parse the fields of an account that an administrator creates."""
    return Registration(
        username=request.username,
        email=request.email,
        password=request.password,
        first_name=request.first_name,
        last_name=request.last_name,
    )


def parse_redemption(request: pb.ResetPasswordRequest) -> Registration:
    """Parse the new password and, with an invitation, the fields of the new account."""
    return Registration(
        username=request.username,
        email=request.email,
        password=request.new_password,
        password_field="new_password",  # noqa: S106 - the name of the field
        first_name=request.first_name,
        last_name=request.last_name,
    )


def parse_profile(request: pb.UpdateCurrentUserRequest) -> ProfileChanges:
    """Parse the changes of a profile; an empty text empties it."""
    return parse_patch(request, ProfileChanges)


def parse_account_changes(request: pb.UpdateUserRequest) -> AccountChanges:
    """Parse the changes of an administrator to an account.

    Raises:
        InvalidError: a value of the quota is out of its range.
    """
    return parse_patch(request, AccountChanges, quota=parse_quota(request))


def parse_heir(request: pb.DeleteUserRequest) -> int | None:
    """Parse the id of the user who gets the apps of a deleted one."""
    return request.apps_to if request.HasField("apps_to") else None


def parse_quota(request: pb.CreateUserRequest | pb.UpdateUserRequest) -> AccountQuota | None:
    """Parse the quota of a request; None where it has none.

    Raises:
        InvalidError: a value is out of its range.
    """
    if not request.HasField("quota"):
        return None
    check_message(request.quota, prefix="quota.")
    return AccountQuota(**{field.name: value for field, value in request.quota.ListFields()})


def parse_question(request: pb.FindUserRequest) -> tuple[int | None, str | None]:
    """Parse the id and the name of the user to find, of which one is set."""
    user_id = request.id if request.HasField("id") else None
    return user_id, request.username if request.HasField("username") else None


def render_user(account: Account) -> user_pb2.User:
    """Render an account as the API shows it."""
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
        quota=_render_quota(account.quota),
    )
    if account.last_login is not None:
        message.last_login.CopyFrom(render_time(account.last_login))
    return message


def render_users(accounts: Sequence[Account], total: int, *, page: Page) -> pb.ListUsersResponse:
    """Render a page of accounts."""
    users = [render_user(account) for account in accounts]
    return pb.ListUsersResponse(users=users, total=total, page=page.number, per_page=page.size)


def render_link(issued: IssuedLink) -> pb.OneTimeLink:
    """Render a one-time link, for the only response that shows it."""
    return pb.OneTimeLink(token=issued.token, link=issued.link, expires_at=render_time(issued.expires_at))


def render_setup(setup: Setup) -> pb.Setup:
    """Render the state of an installation for somebody without an account."""
    return pb.Setup(
        needs_admin=setup.needs_admin,
        registration_open=setup.registration_open,
        password_rules=pb.PasswordRules(
            min_length=setup.min_password_length,
            max_length=setup.max_password_length,
            descriptions=setup.password_rules,
        ),
    )


def _render_quota(quota: AccountQuota) -> user_pb2.Quota | None:
    values = {name: value for name, value in vars(quota).items() if value is not None}
    return user_pb2.Quota(**values) if values else None
