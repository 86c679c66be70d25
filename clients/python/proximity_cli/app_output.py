"""output: what an app itself wrote."""

from __future__ import annotations

from typing import Annotated

import typer
from google.protobuf import timestamp_pb2
from proximity.apps.v1 import apps_service_pb2 as pb

from proximity_cli.apps import AppId
from proximity_cli.completion import complete_services
from proximity_cli.connection import connect
from proximity_cli.failures import CliError
from proximity_cli.following import follow_output
from proximity_cli.output import console, print_line, render_cell, render_time, with_output


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("output")(with_output(show_output))


def show_output(
    app_id: AppId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines are written.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, max=1000, help="The newest so many.")] = 100,
    service: Annotated[
        str, typer.Option(help="Only what this service wrote.", autocompletion=complete_services)
    ] = "",
    since: Annotated[
        str, typer.Option(help="Only what was written since a time, as 2026-11-30T12:00:00Z.")
    ] = "",
) -> None:
    """Show what an app itself wrote, oldest line first."""
    platform = connect()
    if follow:
        for event in follow_output(platform, app_id, service=service, tail=lines):
            _print(event.line)
        return
    request = pb.GetAppOutputRequest(app_id=app_id, service=service, tail=lines, since=_parse_time(since))
    for line in platform.read(platform.apps.GetAppOutput, request).lines:
        _print(line)


def _parse_time(text: str) -> timestamp_pb2.Timestamp | None:
    time = timestamp_pb2.Timestamp()
    try:
        time.FromJsonString(text)
    except ValueError:
        if text:
            hint = "write it as 2026-11-30T12:00:00Z"
            raise CliError(f"--since: {text!r} is no time", hint=hint, status=2) from None
        return None
    return time


def _print(line: pb.OutputLine) -> None:
    time = f"[dim]{render_time(line.time)}[/] " if line.HasField("time") else ""
    service = f"{render_cell(line.service)}: " if line.service else ""
    print_line(line, lambda: console.print(f"{time}{service}{render_cell(line.text)}"))
