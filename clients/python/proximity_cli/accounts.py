"""login, logout, whoami, password, redeem."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import grpc
import typer
from google.protobuf.empty_pb2 import Empty
from proximity.auth.v1 import auth_service_pb2 as pb

from proximity_cli.connection import Platform, check_trust, connect
from proximity_cli.failures import CliError
from proximity_cli.inputs import check_terminal, prompt, read_line, read_text
from proximity_cli.output import present, print_done, print_facts, with_output
from proximity_cli.session import Session, forget_session, parse_address, read_session, write_session

Ca = Annotated[
    Path | None,
    typer.Option(help="File with certificates to trust.", envvar="PROXIMITY_CA_FILE", exists=True),
]
Pin = Annotated[
    str, typer.Option(help="SHA-256 of the only certificate to trust.", envvar="PROXIMITY_FINGERPRINT")
]
DEFAULT_URL = "http://127.0.0.1:8000"
_REDEEM_PATH = "/api/auth/redeem"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (login, logout, whoami, password, redeem):
        app.command()(with_output(command))


def login(
    url: Annotated[
        str, typer.Argument(help="Address of the platform.", envvar="PROXIMITY_URL")
    ] = DEFAULT_URL,
    username: Annotated[
        str, typer.Option("--username", "-u", help="Without it the command prompts for it.")
    ] = "",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    ca: Ca = None,
    pin: Pin = "",
    insecure: Annotated[
        bool,
        typer.Option("--insecure", help="Trust any certificate. Anybody on the path can read everything."),
    ] = False,
) -> None:
    """Sign in and keep the session."""
    trusted = read_text(ca) if ca else ""
    session = Session(parse_address(url), ca=trusted, pin=pin, insecure=insecure)
    check_trust(session)
    if not username:
        check_terminal("the username", remedy="give --username")
        username = prompt("Username")
    password = read_password("Password", from_stdin=password_stdin)
    platform = Platform(session)
    request = pb.LoginRequest(username=username, password=password)
    with _refusing("Wrong username or password"):
        answer = platform.auth.Login(request, timeout=30)
    write_session(
        replace(
            session,
            username=answer.user.username,
            access=answer.access,
            refresh=answer.refresh,
            expires_at=time.time() + answer.expires_in,
        )
    )
    role = ", an administrator" if answer.user.is_staff else ""
    sentence = f"signed in at {session.url} as {answer.user.username}{role}"
    present(answer.user, lambda: print_done(sentence))
    for notice in answer.notices:
        typer.echo(notice, err=True)


@contextlib.contextmanager
def _refusing(sentence: str) -> Iterator[None]:
    try:
        yield
    except grpc.RpcError as error:
        if isinstance(error, grpc.Call) and error.code() == grpc.StatusCode.UNAUTHENTICATED:
            raise CliError(sentence, status=3) from error
        raise


def logout() -> None:
    """End the session, here and on the platform."""
    session = read_session()
    with contextlib.suppress(grpc.RpcError):  # the file goes in any case
        platform = Platform(session)
        platform.change(platform.auth.Logout, pb.LogoutRequest(refresh=session.refresh))
    forget_session()
    present(Empty(), lambda: print_done("signed out"))


def whoami() -> None:
    """Show who is signed in, and where."""
    platform = connect()
    user = platform.read(platform.auth.GetCurrentUser, Empty())
    role = "administrator" if user.is_staff else "user"
    facts = [
        ("username", user.username),
        ("email", user.email),
        ("role", role),
        ("platform", platform.session.url),
    ]
    present(user, lambda: print_facts(facts))


def password(
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the old and the new one from standard input.")
    ] = False,
) -> None:
    """Change one's own password; every other session ends."""
    platform = connect()
    old = read_password("Old password", from_stdin=password_stdin)
    new = read_password("New password", from_stdin=password_stdin, twice=True)
    request = pb.ChangePasswordRequest(old_password=old, new_password=new)
    answer = platform.change(platform.auth.ChangePassword, request)
    present(answer, lambda: print_done(answer.detail))


def redeem(
    link: Annotated[str, typer.Argument(help="One-time link; only what follows # in it is secret.")],
    username: Annotated[str, typer.Option("--username", "-u", help="Name of the account to make.")] = "",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the new password from standard input.")
    ] = False,
    ca: Ca = None,
    pin: Pin = "",
) -> None:
    """Set a password with a one-time link; with an invitation, make the account --username."""
    url, _, token = link.partition("#")
    if not token:
        raise CliError("the link is not whole: it reads like https://host/api/auth/redeem#…", status=2)
    address = parse_address(url.removesuffix(_REDEEM_PATH))
    session = Session(address, ca=read_text(ca) if ca else "", pin=pin)
    check_trust(session)
    new = read_password("New password", from_stdin=password_stdin, twice=True)
    request = pb.ResetPasswordRequest(token=token, new_password=new, username=username)
    answer = Platform(session).auth.ResetPassword(request, timeout=30)
    present(answer, lambda: print_done(answer.detail))


def read_password(text: str, *, from_stdin: bool, twice: bool = False) -> str:
    """Read a password from standard input, or from the person at the terminal.

    Raises:
        CliError: there is neither.
    """
    if from_stdin:
        return read_line("the password")
    check_terminal("the password", remedy="give --password-stdin")
    return prompt(text, hidden=True, twice=twice)
