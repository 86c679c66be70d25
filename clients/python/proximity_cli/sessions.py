"""sessions list, sessions end, step-up."""

from __future__ import annotations

from typing import Annotated

import typer
from google.protobuf.empty_pb2 import Empty
from proximity.auth.v1 import auth_service_pb2 as pb

from proximity_cli.accounts import read_password
from proximity_cli.completion import complete_sessions
from proximity_cli.connection import connect
from proximity_cli.failures import CliError
from proximity_cli.output import present, print_done, print_table, render_time


def list_sessions() -> None:
    """List where the account is signed in."""
    platform = connect()
    found = platform.read(platform.auth.ListSessions, Empty()).sessions
    rows = [
        (
            each.id,
            each.address,
            render_time(each.created_at),
            render_time(each.last_used_at),
            f"{each.user_agent}{' (this one)' if each.is_current else ''}",
        )
        for each in found
    ]
    columns = ("ID", "ADDRESS", "SIGNED IN", "LAST USED", "PROGRAM")
    empty = "There are no sessions; this is an API token."
    present(found, lambda: print_table(columns, rows, empty=empty))


def end_session(
    session_id: Annotated[
        str,
        typer.Argument(help="As `sessions` shows it.", metavar="ID", autocompletion=complete_sessions),
    ] = "",
    others: Annotated[bool, typer.Option("--others", help="End all sessions but this one.")] = False,
) -> None:
    """End a session of the account, or all others: nobody who has it can do anything with it any more."""
    if bool(session_id) == others:
        raise CliError("Name one session, or all others with --others", status=2)
    platform = connect()
    if others:
        answer = platform.change(platform.auth.DeleteOtherSessions, Empty())
        return present(answer, lambda: print_done("all other sessions have ended"))
    answer = platform.change(platform.auth.DeleteSession, pb.DeleteSessionRequest(id=session_id))
    return present(answer, lambda: print_done(f"session {session_id} has ended"))


def step_up(
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
) -> None:
    """Confirm the password: for ten minutes the session may do what needs a recent sign-in."""
    platform = connect()
    if not platform.session.refresh:
        raise CliError("An API token cannot step up; its scopes decide what it may do")
    platform.step_up(read_password("Password", from_stdin=password_stdin))
    present(Empty(), lambda: print_done("confirmed; this holds for ten minutes"))
