"""apps, show, deploy, start, stop, restart, delete, logs, events."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Annotated, Any

import typer
from google.protobuf import json_format
from proximity.apps.v1 import app_pb2
from proximity.apps.v1 import apps_service_pb2 as pb
from proximity.catalog.v1 import catalog_service_pb2
from rich.markup import escape

from proximity_cli.completion import (
    complete_apps,
    complete_choices,
    complete_items,
    complete_nodes,
    complete_operations,
)
from proximity_cli.connection import Platform, connect
from proximity_cli.failures import CliError
from proximity_cli.filters import with_filters
from proximity_cli.following import follow_all_events, follow_events, wait_for_app, wait_for_operation
from proximity_cli.inputs import confirm
from proximity_cli.output import (
    complaints,
    console,
    present,
    print_done,
    print_facts,
    print_line,
    print_table,
    render_cell,
    render_time,
    with_output,
)
from proximity_cli.rpcs import find_method, read_all

AppId = Annotated[
    str,
    typer.Argument(
        help="Id of the app, as `proximity apps` shows it.", metavar="APP", autocompletion=complete_apps
    ),
]
OptionalAppId = Annotated[
    str, typer.Argument(help="Id of the app; left out: all.", metavar="APP", autocompletion=complete_apps)
]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Do not wait until it is done.")]
_LIST = "apps.AppsService.ListApps"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("apps")(with_output(list_apps))
    for command in (show, deploy, start, stop, restart, delete, logs, events):
        app.command()(with_output(command))


@with_filters(_LIST)
def list_apps(*, request: pb.ListAppsRequest) -> None:
    """List the apps."""
    found: list[app_pb2.App] = read_all(connect(), find_method(_LIST), request)
    rows = [(app.id, app.name, app.status, app.hostname, app.node, app.url) for app in found]
    columns = ("ID", "NAME", "STATUS", "HOSTNAME", "NODE", "URL")
    present(found, lambda: print_table(columns, rows, empty="There are no apps."))


def show(app_id: AppId) -> None:
    """Show one app."""
    platform = connect()
    app = platform.read(platform.apps.GetApp, pb.GetAppRequest(app_id=app_id))
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
    present(app, lambda: print_facts(facts))


def deploy(
    catalog_id: Annotated[
        str, typer.Argument(help="What, as in `proximity catalog search`.", autocompletion=complete_items)
    ],
    hostname: Annotated[str, typer.Argument(help="Name in the network: small letters, digits, hyphens.")],
    name: Annotated[str, typer.Option(help="Name for people; default: the hostname.")] = "",
    env: Annotated[
        list[str] | None, typer.Option("--env", "-e", help="NAME=VALUE, as often as needed.")
    ] = None,
    memory: Annotated[int | None, typer.Option(help="MB.")] = None,
    cores: Annotated[int | None, typer.Option(help="CPU cores.")] = None,
    disk: Annotated[int | None, typer.Option(help="GB.")] = None,
    node: Annotated[
        str,
        typer.Option(help="Proxmox node; default: the one with most room.", autocompletion=complete_nodes),
    ] = "",
    no_wait: NoWait = False,
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
    warn_of_unknown_values(platform, catalog_id, body["environment"])
    app = platform.create(platform.apps.DeployApp, json_format.ParseDict(body, pb.DeployAppRequest()))
    if not no_wait:
        wait_for_app(platform, app.id, f"Deploying {hostname}")
        app = platform.read(platform.apps.GetApp, pb.GetAppRequest(app_id=app.id))
    present(app, lambda: print_done(f"{app.id} is {app.status}" + (f" at {app.url}" if app.url else "")))


def warn_of_unknown_values(platform: Platform, catalog_id: str, environment: Iterable[str]) -> None:
    """Say which values an item does not ask for: they are passed on, and may be misspelt."""
    item = platform.read(platform.catalog.GetItem, catalog_service_pb2.GetItemRequest(app_id=catalog_id))
    unknown = [name for name in environment if name not in {each.name for each in item.inputs}]
    if unknown:
        complaints.print(
            escape(f"warning: {catalog_id} does not ask for {', '.join(unknown)}; passed on as it is")
        )


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
        str,
        typer.Option(
            help="keep its backups, or delete them with it; protected ones always stay.",
            autocompletion=complete_choices(("keep", "delete")),
        ),
    ] = "keep",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    no_wait: NoWait = False,
) -> None:
    """Delete an app with its container and its data. An adopted container is let go unharmed."""
    if not yes:
        also = ", and its backups" if backups == "delete" else ""
        confirm(f"Delete {app_id} and all its data{also}?")
    platform = connect()
    answer = platform.change(platform.apps.DeleteApp, pb.DeleteAppRequest(app_id=app_id, backups=backups))
    if no_wait or not answer.operation_id:
        return present(answer, lambda: print_done(answer.message))
    doing, *rest = answer.message.split(". ")
    ended = wait_for_app(platform, app_id, doing)
    check_operation(platform, app_id, answer.operation_id, ended=ended)
    return present(answer, lambda: print_done(". ".join([f"{app_id} is {ended}", *rest])))


def _act(app_id: str, action: str, *, no_wait: bool) -> None:
    platform = connect()
    request = pb.PerformAppActionRequest(app_id=app_id, action=action)
    answer = platform.change(platform.apps.PerformAppAction, request)
    if no_wait or not answer.operation_id:
        return present(answer, lambda: print_done(answer.message))
    ended = wait_for_app(platform, app_id, answer.message)
    check_operation(platform, app_id, answer.operation_id, ended=ended)
    return present(answer, lambda: print_done(f"{app_id} is {ended}"))


def watch_operation(
    app_id: AppId,
    operation_id: Annotated[
        str,
        typer.Argument(metavar="OPERATION", help="Id of the operation.", autocompletion=complete_operations),
    ],
) -> None:
    """Show how an operation gets on until it has ended."""
    platform = connect()
    request = pb.GetOperationRequest(app_id=app_id, operation_id=operation_id)
    wait_for_operation(platform, request, platform.read(platform.apps.GetOperation, request))
    operation = platform.read(platform.apps.GetOperation, request)
    present(operation, lambda: print_done(f"{operation.kind} {operation.status}"))


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


@with_filters("apps.AppsService.ListAppLogs", leave_out=("limit", "tail"))
def logs(
    app_id: AppId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines are written.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, max=1000, help="The newest so many.")] = 100,
    *,
    request: pb.ListAppLogsRequest,
) -> None:
    """Show the log of an app, oldest line first."""
    platform = connect()
    request.limit = lines
    level = request.level or None
    found = list(reversed(platform.read(platform.apps.ListAppLogs, request).logs))
    for line in found:
        _print_entry(line)
    if not follow:
        return
    for event in follow_events(platform, app_id, after=str(found[-1].id if found else 0)):
        if event.HasField("log") and level in (None, event.log.level):
            _print_entry(event.log)


def _print_entry(line: app_pb2.LogEntry) -> None:
    level = "" if line.level == "info" else f" {render_cell(line.level)}:"
    text = f"[dim]{render_time(line.timestamp)}[/]{level} {render_cell(line.message)}"
    print_line(line, lambda: console.print(text))


def events(
    app_id: OptionalAppId = "",
    after: Annotated[str, typer.Option(help="Id of the last event that is known; 0: from the first.")] = "",
) -> None:
    """Follow the events of an app until it is removed; without an app, everything that happens."""
    platform = connect()
    found: Iterable[pb.AppEvent] | Iterable[pb.Event] = (
        follow_events(platform, app_id, after=after) if app_id else follow_all_events(platform, after=after)
    )
    for event in found:
        line = f"[dim]{render_time(event.timestamp)}[/] {_describe(event)}"
        print_line(event, functools.partial(console.print, line))


def _describe(event: pb.AppEvent | pb.Event) -> str:
    """Return an event as text for a terminal."""
    kind = event.WhichOneof("event") or ""
    about = getattr(event, kind)
    match kind:
        case "connected":
            return "connected"
        case "log" if isinstance(event, pb.Event):
            return f"log: {render_cell(about.app_id)}: {render_cell(about.line.message)}"
        case "operation":
            text = about.error or about.step_description or about.status
            return f"operation: {render_cell(about.app_id)}: {render_cell(about.kind)}: {render_cell(text)}"
        case "backup":
            return f"backup: {render_cell(about.application_id)}: {about.id}: {render_cell(about.status)}"
    text = getattr(about, "message", "") or getattr(about, "step_description", "") or about.status
    named = f"{render_cell(about.id)}: " if isinstance(event, pb.Event) else ""
    return f"{kind}: {named}{render_cell(text)}"
