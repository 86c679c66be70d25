"""apps, show, deploy, start, stop, restart, delete, logs."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from google.protobuf import json_format
from proximity.apps.v1 import app_pb2
from proximity.apps.v1 import apps_service_pb2 as pb

from proximity_cli.connection import Platform, connect
from proximity_cli.failures import CliError
from proximity_cli.following import follow_events, wait_for_app
from proximity_cli.output import (
    Json,
    console,
    print_done,
    print_facts,
    print_json,
    print_json_line,
    print_table,
    render_cell,
    render_time,
)

AppId = Annotated[str, typer.Argument(help="Id of the app, as `proximity apps` shows it.", metavar="APP")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Do not wait until it is done.")]
_PAGE = 100


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("apps")(list_apps)
    app.command()(show)
    app.command()(deploy)
    app.command()(start)
    app.command()(stop)
    app.command()(restart)
    app.command()(delete)
    app.command()(logs)


def list_apps(
    search: Annotated[str, typer.Option(help="Only those with this in their name or hostname.")] = "",
    status: Annotated[str | None, typer.Option(help="Only those in this status.")] = None,
    as_json: Json = False,
) -> None:
    """List the apps."""
    platform = connect()
    found: list[app_pb2.App] = []
    page, total = 1, 1
    while len(found) < total:
        request = pb.ListAppsRequest(page=page, per_page=_PAGE, search=search, status=status)
        answer = platform.read(platform.apps.ListApps, request)
        found, page, total = [*found, *answer.apps], page + 1, answer.total if answer.apps else 0
    if as_json:
        return print_json(found)
    rows = [(app.id, app.name, app.status, app.hostname, app.node, app.url) for app in found]
    print_table(("ID", "NAME", "STATUS", "HOSTNAME", "NODE", "URL"), rows, empty="There are no apps.")
    return None


def show(app_id: AppId, as_json: Json = False) -> None:
    """Show one app."""
    platform = connect()
    app = platform.read(platform.apps.GetApp, pb.GetAppRequest(app_id=app_id))
    if as_json:
        return print_json(app)
    names = (
        "id",
        "name",
        "status",
        "error",
        "url",
        "hostname",
        "node",
        "lxc_id",
        "catalog_id",
        "runtime",
        "revision",
    )
    facts: list[tuple[str, object]] = [(name, getattr(app, name)) for name in names]
    facts += [("created", render_time(app.created_at))]
    facts += [(each.type, each.message) for each in app.conditions]
    print_facts(facts)
    return None


def deploy(
    catalog_id: Annotated[str, typer.Argument(help="What, as in `proximity catalog search`.")],
    hostname: Annotated[str, typer.Argument(help="Name in the network: small letters, digits, hyphens.")],
    name: Annotated[str, typer.Option(help="Name for people; default: the hostname.")] = "",
    env: Annotated[
        list[str] | None, typer.Option("--env", "-e", help="NAME=VALUE, as often as needed.")
    ] = None,
    memory: Annotated[int | None, typer.Option(help="MB.")] = None,
    cores: Annotated[int | None, typer.Option(help="CPU cores.")] = None,
    disk: Annotated[int | None, typer.Option(help="GB.")] = None,
    node: Annotated[str, typer.Option(help="Proxmox node; default: the one with most room.")] = "",
    no_wait: NoWait = False,
    as_json: Json = False,
) -> None:
    """Deploy an app of the catalog and show how it gets on."""
    platform = connect()
    config = {"memory": memory, "cores": cores, "disk_size": disk}
    body: dict[str, Any] = {
        "catalog_id": catalog_id,
        "hostname": hostname,
        "name": name,
        "node": node,
        "environment": parse_environment(env or []),
        "config": {key: value for key, value in config.items() if value is not None},
    }
    app = platform.create(platform.apps.DeployApp, json_format.ParseDict(body, pb.DeployAppRequest()))
    if not no_wait:
        wait_for_app(platform, app.id, f"Deploying {hostname}")
        app = platform.read(platform.apps.GetApp, pb.GetAppRequest(app_id=app.id))
    if as_json:
        return print_json(app)
    print_done(f"{app.id} is {app.status}" + (f" at {app.url}" if app.url else ""))
    return None


def parse_environment(pairs: list[str]) -> dict[str, str]:
    """Return NAME=VALUE pairs as a mapping.

    Raises:
        CliError: one has no equals sign.
    """
    wrong = [pair for pair in pairs if "=" not in pair]
    if wrong:
        raise CliError(f"{wrong[0]!r} is not NAME=VALUE", status=2)
    return dict(pair.split("=", 1) for pair in pairs)


def start(app_id: AppId, no_wait: NoWait = False) -> None:
    """Start an app."""
    _act(app_id, "start", no_wait=no_wait)


def stop(app_id: AppId, no_wait: NoWait = False) -> None:
    """Stop an app."""
    _act(app_id, "stop", no_wait=no_wait)


def restart(app_id: AppId, no_wait: NoWait = False) -> None:
    """Restart an app."""
    _act(app_id, "restart", no_wait=no_wait)


def delete(
    app_id: AppId,
    backups: Annotated[
        str, typer.Option(help="keep its backups, or delete them with it; protected ones always stay.")
    ] = "keep",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    no_wait: NoWait = False,
) -> None:
    """Delete an app with its container and its data. An adopted container is let go unharmed."""
    if not yes:
        also = ", and its backups" if backups == "delete" else ""
        typer.confirm(f"Delete {app_id} and all its data{also}?", abort=True)
    platform = connect()
    answer = platform.change(platform.apps.DeleteApp, pb.DeleteAppRequest(app_id=app_id, backups=backups))
    if no_wait or not answer.operation_id:
        return print_done(answer.message)
    doing, *rest = answer.message.split(". ")
    ended = wait_for_app(platform, app_id, doing)
    check_operation(platform, app_id, answer.operation_id, ended=ended)
    print_done(". ".join([f"{app_id} is {ended}", *rest]))
    return None


def _act(app_id: str, action: str, *, no_wait: bool) -> None:
    platform = connect()
    request = pb.PerformAppActionRequest(app_id=app_id, action=action)
    answer = platform.change(platform.apps.PerformAppAction, request)
    if no_wait or not answer.operation_id:
        return print_done(answer.message)
    ended = wait_for_app(platform, app_id, answer.message)
    check_operation(platform, app_id, answer.operation_id, ended=ended)
    print_done(f"{app_id} is {ended}")
    return None


def check_operation(platform: Platform, app_id: str, operation_id: str, *, ended: str) -> None:
    """Say why an operation failed.

    Raises:
        CliError: it did not succeed.
    """
    if ended == "removed":
        return
    request = pb.GetOperationRequest(app_id=app_id, operation_id=operation_id)
    operation = platform.read(platform.apps.GetOperation, request)
    if operation.status in {"failed", "cancelled"}:
        raise CliError(
            f"{operation.kind} {operation.status}: {operation.error}", hint=f"proximity logs {app_id}"
        )


def logs(
    app_id: AppId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines are written.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, max=1000, help="The newest so many.")] = 100,
    level: Annotated[str | None, typer.Option(help="info, warning or error.")] = None,
    as_json: Json = False,
) -> None:
    """Show the log of an app, oldest line first."""
    platform = connect()
    request = pb.ListAppLogsRequest(app_id=app_id, limit=lines, level=level)
    found = list(reversed(platform.read(platform.apps.ListAppLogs, request).logs))
    for line in found:
        _print_line(line, as_json=as_json)
    if not follow:
        return
    for event in follow_events(platform, app_id, after=str(found[-1].id if found else 0)):
        if event.HasField("log") and level in (None, event.log.level):
            _print_line(event.log, as_json=as_json)


def _print_line(line: app_pb2.LogEntry, *, as_json: bool) -> None:
    if as_json:
        return print_json_line(line)
    level = "" if line.level == "info" else f" {render_cell(line.level)}:"
    console.print(f"[dim]{render_time(line.timestamp)}[/]{level} {render_cell(line.message)}")
    return None
