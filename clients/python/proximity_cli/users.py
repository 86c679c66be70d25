"""users: accounts as administrators manage them."""

from __future__ import annotations

from typing import Annotated

import typer
from google.protobuf.empty_pb2 import Empty
from proximity.auth.v1 import auth_service_pb2 as pb
from proximity.auth.v1 import user_pb2

from proximity_cli.completion import complete_users
from proximity_cli.connection import Platform, connect
from proximity_cli.failures import NOT_FOUND, CliError
from proximity_cli.filters import with_filters
from proximity_cli.inputs import confirm, read_line
from proximity_cli.output import present, print_done, print_table, render_time
from proximity_cli.rpcs import find_method, read_all

Name = Annotated[str, typer.Argument(help="User name.", autocompletion=complete_users)]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
_LIST = "auth.AuthService.ListUsers"


@with_filters(_LIST)
def list_users(*, request: pb.ListUsersRequest) -> None:
    """List the accounts."""
    found: list[user_pb2.User] = read_all(connect(), find_method(_LIST), request)
    rows = [
        (
            each.id,
            each.username,
            each.email,
            "administrator" if each.is_staff else "user",
            "" if each.is_active else "deactivated",
            render_time(each.last_login) if each.HasField("last_login") else "never",
        )
        for each in found
    ]
    columns = ("ID", "NAME", "EMAIL", "ROLE", "STATE", "LAST SIGN-IN")
    present(found, lambda: print_table(columns, rows, empty="There are no accounts."))


def create(
    username: Annotated[str, typer.Argument(help="User name.")],
    email: Annotated[str, typer.Option(help="Address.")] = "",
    admin: Annotated[bool, typer.Option("--admin", help="Make an administrator.")] = False,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
) -> None:
    """Make an account; without a password it needs a reset link before anybody can sign in."""
    password = read_line("the password") if password_stdin else ""
    platform = connect()
    request = pb.CreateUserRequest(username=username, email=email, password=password, is_staff=admin)
    made = platform.create(platform.auth.CreateUser, request)
    present(made, lambda: print_done(f"account {made.username} has the id {made.id}"))
    if not password:
        typer.echo(f"It has no password yet: proximity users reset-link {made.username}", err=True)


def invite(
    admin: Annotated[bool, typer.Option("--admin", help="Invite an administrator.")] = False,
) -> None:
    """Make a one-time link with which somebody makes an account."""
    platform = connect()
    request = pb.CreateInvitationRequest(is_staff=admin)
    _print_link(platform, platform.create(platform.auth.CreateInvitation, request))


def reset_link(username: Name) -> None:
    """Make a one-time link that sets the password of an account."""
    platform = connect()
    request = pb.CreateResetLinkRequest(id=_find_user(platform, username).id)
    _print_link(platform, platform.change(platform.auth.CreateResetLink, request))


def end_sessions(username: Name) -> None:
    """End all sessions of an account."""
    platform = connect()
    request = pb.EndUserSessionsRequest(id=_find_user(platform, username).id)
    platform.change(platform.auth.EndUserSessions, request)
    present(Empty(), lambda: print_done(f"{username} has to sign in again everywhere"))


def promote(username: Name) -> None:
    """Make an account an administrator."""
    _update(username, "is an administrator now", is_staff=True)


def demote(username: Name) -> None:
    """Make an administrator an ordinary user."""
    _update(username, "is an ordinary user now", is_staff=False)


def deactivate(username: Name) -> None:
    """Keep an account from signing in; its sessions end and its unfinished deployments stop."""
    _update(username, "cannot sign in any more", is_active=False)


def activate(username: Name) -> None:
    """Let an account sign in again."""
    _update(username, "can sign in again", is_active=True)


def delete(
    username: Name,
    apps_to: Annotated[
        str,
        typer.Option(
            help="Name of the user who gets the apps and their backups.", autocompletion=complete_users
        ),
    ] = "",
    yes: Yes = False,
) -> None:
    """Remove an account; its apps stay with administrators or go to another user."""
    platform = connect()
    user = _find_user(platform, username)
    heir = _find_user(platform, apps_to) if apps_to else None
    apps = f"; its apps go to {heir.username}" if heir else ""
    if not yes:
        confirm(f"Remove the account {user.username}{apps}?")
    request = pb.DeleteUserRequest(id=user.id, apps_to=heir.id if heir else None)
    platform.change(platform.auth.DeleteUser, request)
    present(Empty(), lambda: print_done(f"{user.username} is removed{apps}"))


def _update(username: str, done: str, *, is_staff: bool | None = None, is_active: bool | None = None) -> None:
    platform = connect()
    request = pb.UpdateUserRequest(
        id=_find_user(platform, username).id, is_staff=is_staff, is_active=is_active
    )
    user = platform.change(platform.auth.UpdateUser, request)
    present(user, lambda: print_done(f"{username} {done}"))


def _find_user(platform: Platform, username: str) -> user_pb2.User:
    """The account of a name, whatever its case.

    Raises:
        CliError: there is none.
    """
    found: list[user_pb2.User] = read_all(platform, find_method(_LIST), pb.ListUsersRequest(search=username))
    for user in found:
        if user.username.casefold() == username.casefold():
            return user
    raise CliError(f"there is no user {username!r}", status=NOT_FOUND, hint="proximity users list")


def _print_link(platform: Platform, issued: pb.OneTimeLink) -> None:
    link = issued.link
    present(issued, lambda: typer.echo(link if "://" in link else f"{platform.session.url}{link}"))
    typer.echo(f"valid for one use until {render_time(issued.expires_at)}; it is not shown again", err=True)
