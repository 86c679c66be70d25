"""backups list, backup, restore."""

from __future__ import annotations

import time
from typing import Annotated

import typer
from proximity.apps.v1 import apps_service_pb2
from proximity.backups.v1 import backup_pb2
from proximity.backups.v1 import backups_service_pb2 as pb

from proximity_cli.apps import AppId, NoWait
from proximity_cli.completion import (
    complete_backed_up_apps,
    complete_backups,
    complete_choices,
    complete_hosts,
    complete_nodes,
)
from proximity_cli.connection import Platform, connect
from proximity_cli.failures import CliError
from proximity_cli.filters import with_filters
from proximity_cli.following import show_progress, wait_for_app
from proximity_cli.inputs import confirm
from proximity_cli.output import present, print_done, print_table, render_size, render_time, with_output
from proximity_cli.rpcs import find_method, read_all

_LIST = "backups.BackupsService.ListAllBackups"
_MODES, _COMPRESSIONS = ("snapshot", "suspend", "stop"), ("zstd", "gzip", "lzo")
_POLL_S = 0.3
_LIMIT_S = 6 * 3600.0


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(with_output(backup))
    app.command()(with_output(restore))


@with_filters(_LIST)
def list_backups(
    app_id: Annotated[
        str | None,
        typer.Argument(
            help="Id of an app; without it, those of all apps.", autocompletion=complete_backed_up_apps
        ),
    ] = None,
    *,
    request: pb.ListAllBackupsRequest,
) -> None:
    """List backups, newest first, also those of apps that were deleted."""
    del app_id  # in the request
    found: list[backup_pb2.Backup] = read_all(connect(), find_method(_LIST), request)
    rows = [
        (
            each.id,
            each.application_id,
            "deleted" if each.HasField("app_removed_at") else "there",
            each.status,
            render_time(each.created_at),
            render_size(each.size),
            each.backup_type,
            each.notes,
        )
        for each in found
    ]
    columns = ("ID", "APP", "APP IS", "STATUS", "MADE", "SIZE", "TYPE", "NOTES")
    present(found, lambda: print_table(columns, rows, empty="There are no backups."))


def backup(
    app_id: AppId,
    mode: Annotated[
        str, typer.Option(help="snapshot, suspend or stop.", autocompletion=complete_choices(_MODES))
    ] = "snapshot",
    compression: Annotated[
        str, typer.Option(help="zstd, gzip or lzo.", autocompletion=complete_choices(_COMPRESSIONS))
    ] = "zstd",
    notes: Annotated[str, typer.Option(help="For people.")] = "",
    no_wait: NoWait = False,
) -> None:
    """Make a backup of an app."""
    platform = connect()
    request = pb.CreateBackupRequest(app_id=app_id, backup_type=mode, compression=compression, notes=notes)
    made = platform.create(platform.backups.CreateBackup, request)
    if no_wait:
        return present(made, lambda: print_done(made.message))
    done = _wait_for_backup(platform, app_id, made.id, title=f"Backing up {app_id}")
    sentence = f"backup {done.id} of {app_id}: {render_size(done.size)}, {done.file_name}"
    return present(done, lambda: print_done(sentence))


def restore(
    app_id: Annotated[
        str,
        typer.Argument(
            help="Id of the app, which may have been deleted.",
            metavar="APP",
            autocompletion=complete_backed_up_apps,
        ),
    ],
    backup_id: Annotated[int, typer.Argument(help="Number of the backup.", autocompletion=complete_backups)],
    to: Annotated[str | None, typer.Option(help="Restore beside, as a new app with this hostname.")] = None,
    node: Annotated[
        str | None,
        typer.Option(help="With --to: the node for the new app.", autocompletion=complete_nodes),
    ] = None,
    host_id: Annotated[
        int | None,
        typer.Option(
            help="With --to: another Proxmox host, which has to see the archive too.",
            autocompletion=complete_hosts,
        ),
    ] = None,
    safety_backup: Annotated[
        bool, typer.Option(help="Back the app up as it is before it is overwritten.")
    ] = True,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    no_wait: NoWait = False,
) -> None:
    """Restore a backup over its app, whose present data are lost; with --to, as a new app."""
    if not yes and not to:
        confirm(f"Overwrite all data of {app_id} with backup {backup_id}?")
    platform = connect()
    request = pb.RestoreBackupRequest(
        app_id=app_id,
        backup_id=backup_id,
        new_hostname=to,
        safety_backup=safety_backup,
        node=node,
        host_id=host_id,
    )
    answer = platform.create(platform.backups.RestoreBackup, request)
    if no_wait:
        return present(answer, lambda: print_done(answer.message))
    if to:
        status = wait_for_app(platform, answer.application_id, answer.message)
    else:
        _wait_for_backup(platform, app_id, backup_id, title=answer.message)
        status = wait_for_app(platform, app_id, answer.message)
    sentence = f"{answer.application_id} is {status}" + ("" if to else " again")
    return present(answer, lambda: print_done(sentence))


def _wait_for_backup(platform: Platform, app_id: str, backup_id: int, *, title: str) -> backup_pb2.Backup:
    """Wait until nothing is done with a backup any more.

    Raises:
        CliError: it failed, or took six hours.
    """
    deadline = time.monotonic() + _LIMIT_S
    request = pb.GetBackupRequest(app_id=app_id, backup_id=backup_id)
    with show_progress(title) as show:
        while time.monotonic() < deadline:
            found = platform.read(platform.backups.GetBackup, request)
            if found.status == "failed":
                raise CliError(
                    f"backup {backup_id} failed: {found.error_message}", hint=f"proximity logs {app_id}"
                )
            if not found.is_in_progress and found.status == "completed":
                return found
            show(_find_status(platform, app_id))
            time.sleep(_POLL_S)
    raise CliError(f"backup {backup_id} of {app_id} is not done after {_LIMIT_S / 3600:g} hours")


def _find_status(platform: Platform, app_id: str) -> apps_service_pb2.AppStatus:
    request = apps_service_pb2.GetAppStatusRequest(app_id=app_id)
    return platform.read(platform.apps.GetAppStatus, request)
