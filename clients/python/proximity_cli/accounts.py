"""login, logout, whoami."""

from __future__ import annotations

import contextlib
import sys
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
from proximity_cli.output import Json, print_done, print_facts, print_json
from proximity_cli.session import Session, forget_session, read_session, write_session

DEFAULT_URL = "http://127.0.0.1:8000"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (login, logout, whoami):
        app.command()(command)


def login(
    url: Annotated[
        str, typer.Argument(help="Address of the platform.", envvar="PROXIMITY_URL")
    ] = DEFAULT_URL,
    username: Annotated[str, typer.Option("--username", "-u", help="Asked for when it is not given.")] = "",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    ca: Annotated[Path | None, typer.Option(help="File with certificates to trust.", exists=True)] = None,
    pin: Annotated[str, typer.Option(help="SHA-256 of the only certificate to trust.")] = "",
    insecure: Annotated[
        bool,
        typer.Option("--insecure", help="Trust any certificate. Whoever is in between can read everything."),
    ] = False,
) -> None:
    """Sign in and keep the session."""
    trusted = ca.read_text(encoding="utf-8") if ca else ""
    session = Session(url.rstrip("/"), ca=trusted, pin=pin, insecure=insecure)
    check_trust(session)
    username = username or typer.prompt("Username")
    password = (
        sys.stdin.readline().rstrip("\n") if password_stdin else typer.prompt("Password", hide_input=True)
    )
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
    print_done(f"signed in at {session.url} as {answer.user.username}{role}")


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
    print_done("signed out")


def whoami(as_json: Json = False) -> None:
    """Show who is signed in, and where."""
    platform = connect()
    user = platform.read(platform.auth.GetCurrentUser, Empty())
    if as_json:
        return print_json(user)
    role = "administrator" if user.is_staff else "user"
    print_facts(
        [
            ("username", user.username),
            ("email", user.email),
            ("role", role),
            ("platform", platform.session.url),
        ]
    )
    return None
