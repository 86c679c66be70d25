"""export, import: apps on their way to another platform."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer
from google.protobuf import json_format
from proximity.apps.v1 import export_pb2 as pb

from proximity_cli.answers import end_check
from proximity_cli.apps import AppId, NoWait, check_operation, parse_environment
from proximity_cli.completion import (
    complete_backups,
    complete_hosts,
    complete_nodes,
    complete_owners,
    complete_storages,
)
from proximity_cli.connection import Platform, connect
from proximity_cli.failures import CliError
from proximity_cli.following import wait_for_app
from proximity_cli.inputs import check_terminal, prompt, read_text
from proximity_cli.output import (
    complaints,
    present,
    print_done,
    print_facts,
    render_size,
    render_time,
    with_output,
)

_OWN_ONLY = 0o600  # of the document: what is not sealed is not for everybody either
PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file", help="File whose first line is the passphrase; default: prompt for it."
    ),
]

Host = Annotated[
    int | None,
    typer.Option(
        help="Number of the Proxmox host that sees the archive, or for the app.",
        autocompletion=complete_hosts,
    ),
]
Storage = Annotated[
    str,
    typer.Option(
        help="Storage that has the archive under its original name.", autocompletion=complete_storages
    ),
]
Node = Annotated[
    str,
    typer.Option(help="Proxmox node; default: one that sees the archive.", autocompletion=complete_nodes),
]
Owner = Annotated[
    int | None,
    typer.Option(help="Number of the owner's account; default: one's own.", autocompletion=complete_owners),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("export")(with_output(export_app))
    app.command("import")(with_output(import_app))


def export_app(
    app_id: AppId,
    file: Annotated[Path, typer.Argument(help="File to write; only its owner may read it.")],
    passphrase_file: PassphraseFile = None,
    without_secrets: Annotated[
        bool, typer.Option("--without-secrets", help="Leave secret values out; no passphrase is needed.")
    ] = False,
    backup: Annotated[
        int | None,
        typer.Option(
            help="Number of the backup with its data; default: the newest.", autocompletion=complete_backups
        ),
    ] = None,
) -> None:
    """Write an app down as a document, with which another platform imports it. Its data are in the archive of a backup."""
    if file.exists():
        raise CliError(f"{file} exists already", hint="name another file", status=2)
    passphrase = "" if without_secrets else _read_passphrase(passphrase_file, is_new=True)
    platform = connect()
    request = pb.ExportAppRequest(app_id=app_id, passphrase=passphrase, backup_id=backup)
    document = platform.change(platform.apps.ExportApp, request)
    text = json.dumps(json_format.MessageToDict(document, preserving_proto_field_name=True), indent=2)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWN_ONLY), "w") as stream:
        os.fchmod(stream.fileno(), _OWN_ONLY)  # whatever the umask
        stream.write(f"{text}\n")

    def show() -> None:
        print_done(f"{app_id} is described in {file}")
        print_facts(_list_facts(document))
        for note in document.notes:
            complaints.print(note, markup=False)

    present(document, show)


def _list_facts(document: pb.AppExport) -> list[tuple[str, object]]:
    facts: list[tuple[str, object]] = []
    if document.HasField("archive"):
        archive = document.archive
        facts = [
            ("archive", archive.volume_id),
            ("storage", archive.storage),
            ("size", render_size(archive.size)),
            ("made", render_time(archive.completed_at)),
            ("protected", "yes" if archive.protected else "no"),
        ]
    return [*facts, *([("left out", ", ".join(document.missing_values))] if document.missing_values else [])]


def import_app(
    file: Annotated[Path, typer.Argument(help="Document of an export.", exists=True, dir_okay=False)],
    host: Host = None,
    storage: Storage = "",
    archive: Annotated[str, typer.Option(help="Volume id of the archive, instead of --storage.")] = "",
    passphrase_file: PassphraseFile = None,
    hostname: Annotated[str, typer.Option(help="Default: that of the document.")] = "",
    name: Annotated[str, typer.Option(help="Name for people; default: that of the document.")] = "",
    node: Node = "",
    owner: Owner = None,
    config: Annotated[
        list[str] | None,
        typer.Option(
            "--config", help="KEY=VALUE as of a deployment (memory, storage, bridge, …), as often as needed."
        ),
    ] = None,
    network_cidr: Annotated[str, typer.Option(help="Static address as CIDR; default: as a new app.")] = "",
    env: Annotated[
        list[str] | None,
        typer.Option("--env", "-e", help="NAME=VALUE that the document lacks, as often as needed."),
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Only say what it would do; exit status 6 where it would be refused."),
    ] = False,
    no_wait: NoWait = False,
) -> None:
    """Make an app of a document and, where --storage or --archive names it, of the archive of its data."""
    document = _read_document(file)
    body: dict[str, Any] = {
        "document": document,
        "hostname": hostname,
        "name": name,
        "node": node,
        "owner": owner,
        "network_cidr": network_cidr,
        "config": {key: _parse_value(value) for key, value in parse_environment(config or []).items()},
        "environment": parse_environment(env or []),
    }
    if document.get("sealed"):
        body["passphrase"] = _read_passphrase(passphrase_file)
    if storage or archive:
        if host is None:
            raise CliError("--storage and --archive need --host, which sees them", status=2)
        body["archive"] = {"host_id": host, "storage": storage, "volume_id": archive}
    elif host is not None:
        body["host_id"] = host
    given = {key: value for key, value in body.items() if value not in ("", None)}
    request = json_format.ParseDict(given, pb.ImportExportedAppRequest())
    platform = connect()
    if check:
        return _show_preview(platform.read(platform.apps.PreviewExportedApp, request))
    return _begin_import(platform, request, no_wait=no_wait)


def _begin_import(platform: Platform, request: pb.ImportExportedAppRequest, *, no_wait: bool) -> None:
    answer = platform.create(platform.apps.ImportExportedApp, request)
    for warning in answer.warnings:
        complaints.print(warning, markup=False)
    if no_wait:
        return present(answer, lambda: print_done(answer.message))
    return _follow_import(platform, answer)


def _follow_import(platform: Platform, answer: pb.ImportExportedAppResponse) -> None:
    ended = wait_for_app(platform, answer.app_id, answer.message)
    check_operation(platform, answer.app_id, answer.operation_id, ended=ended)
    return present(answer, lambda: print_done(f"{answer.app_id} is {ended}"))


def _show_preview(found: pb.AppImportPreview) -> None:
    facts: list[tuple[str, object]] = [("possible", "yes" if found.possible else "no")]
    facts += [("obstacle", text) for text in found.obstacles]
    facts += [("note", text) for text in found.warnings]
    names = ("hostname", "catalog_id", "version", "runtime", "node", "storage", "bridge")
    facts += [(name, getattr(found, name)) for name in names if getattr(found, name)]
    facts += [("archive", render_size(found.archive_size))] if found.archive_size else []
    present(found, lambda: print_facts(facts))
    end_check(is_possible=found.possible)


def _read_document(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(read_text(file))
    except (ValueError, RecursionError) as error:
        raise CliError(f"{file} is no document of an export: {error}", status=2) from error
    if not isinstance(document, dict):
        raise CliError(f"{file} is no document of an export", status=2)
    return document


def _read_passphrase(file: Path | None, *, is_new: bool = False) -> str:
    """Read the passphrase from a file, or from the person at the terminal.

    Raises:
        CliError: there is neither.
    """
    if file is not None:
        return read_text(file).partition("\n")[0].rstrip("\r")
    check_terminal("the passphrase", remedy="give --passphrase-file")
    return prompt("Passphrase", hidden=True, twice=is_new)


def _parse_value(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdigit() else text
