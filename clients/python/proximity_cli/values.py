"""set, reveal, update: the values of an app over its life."""

from __future__ import annotations

from typing import Annotated

import typer
from proximity.apps.v1 import apps_service_pb2 as pb

from proximity_cli.answers import end_check
from proximity_cli.apps import AppId, NoWait, check_operation, parse_environment
from proximity_cli.completion import complete_values
from proximity_cli.connection import Platform, connect
from proximity_cli.failures import CliError
from proximity_cli.following import wait_for_app
from proximity_cli.output import console, present, print_done, print_facts, render_cell, with_output

Unset = Annotated[
    list[str] | None,
    typer.Option(
        "--unset",
        help="NAME of a value to remove, as often as needed.",
        autocompletion=complete_values,
    ),
]
Secret = Annotated[
    list[str] | None,
    typer.Option("--secret", help="NAME of a value that nobody is to see.", autocompletion=complete_values),
]
Public = Annotated[
    list[str] | None,
    typer.Option("--public", help="NAME of a value that may be shown.", autocompletion=complete_values),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("set")(with_output(set_values))
    app.command()(with_output(reveal))
    app.command()(with_output(update))


def set_values(
    app_id: AppId,
    pairs: Annotated[
        list[str] | None, typer.Argument(help="NAME=VALUE, as often as needed.", metavar="NAME=VALUE")
    ] = None,
    unset: Unset = None,
    secret: Secret = None,
    public: Public = None,
    no_wait: NoWait = False,
) -> None:
    """Set, add and remove values of an app, and say which of them are secret."""
    platform = connect()
    request = pb.UpdateAppRequest(
        app_id=app_id,
        environment=parse_environment(pairs or []),
        unset=unset or [],
        secret=_flag(secret, public),
    )
    if not (request.environment or request.unset or request.secret):
        raise CliError("nothing to change: give NAME=VALUE, --unset, --secret or --public", status=2)
    before = _last_operation(platform, app_id)
    app = platform.change(platform.apps.UpdateApp, request)
    operation = _last_operation(platform, app_id)
    if operation == before:
        return present(
            app, lambda: print_done(f"The values of {app.id} are changed; its container needs no change")
        )
    return _follow(platform, app_id, operation, title=f"Changing {app.hostname}", no_wait=no_wait)


def reveal(
    app_id: AppId,
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Names of values; default: all that are masked.", autocompletion=complete_values),
    ] = None,
) -> None:
    """Show values of an app in clear. Every call is in the audit log."""
    platform = connect()
    if not names:
        names = list(platform.read(platform.apps.GetApp, pb.GetAppRequest(app_id=app_id)).masked)
        if not names:
            return print_done(f"{app_id} has no value that is not shown")
    answer = platform.change(platform.apps.RevealSecrets, pb.RevealSecretsRequest(app_id=app_id, names=names))

    def print_values() -> None:
        for name in names:
            console.print(f"{render_cell(name)}={render_cell(answer.values[name])}", soft_wrap=True)

    return present(answer, print_values)


def update(
    app_id: AppId,
    revision: Annotated[str, typer.Option(help="Revision of the catalog item; default: the newest.")] = "",
    pairs: Annotated[list[str] | None, typer.Option("--set", help="NAME=VALUE, as often as needed.")] = None,
    unset: Unset = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Only say what it would change and needs; exit status 6 where it would be refused.",
        ),
    ] = False,
    no_wait: NoWait = False,
) -> None:
    """Bring an app to a newer revision of its catalog item."""
    platform = connect()
    wanted = pb.GetAppUpdateRequest(app_id=app_id, revision=revision or None)
    found = platform.read(platform.apps.GetAppUpdate, wanted)
    if check or not found.available:
        present(found, lambda: _print_update(found))
        given = parse_environment(pairs or [])
        obstacles = [*found.obstacles, *(one.name for one in found.needs if one.name not in given)]
        # Without a newer revision there is nothing that could be refused.
        return end_check(is_possible=not (found.available and obstacles))
    request = pb.UpgradeAppRequest(
        app_id=app_id, revision=revision, environment=parse_environment(pairs or []), unset=unset or []
    )
    answer = platform.change(platform.apps.UpgradeApp, request)
    return _follow(platform, app_id, answer.operation_id, title=answer.message, no_wait=no_wait)


def _print_update(found: pb.AppUpdate) -> None:
    if not found.available:
        return print_done(
            f"{found.app_id} is of the newest revision: {found.current_version or found.revision}"
        )
    facts: list[tuple[str, object]] = [("from", found.current_version), ("to", found.version)]
    facts += [
        (f"image of {one.service}", f"{one.before or '-'} -> {one.after or '-'}") for one in found.images
    ]
    facts += [(f"new: {one.name}", one.help or one.label) for one in found.added_inputs]
    facts += [("gone", name) for name in found.removed_inputs]
    facts += [(f"needs {need.name}", need.reason) for need in found.needs]
    facts += [("obstacle", text) for text in found.obstacles]
    facts += [("note", note) for note in found.notes]
    facts += [("releases", found.release_notes_url)] if found.release_notes_url else []
    print_facts(facts)
    return None


def _flag(secret: list[str] | None, public: list[str] | None) -> dict[str, bool]:
    return {**dict.fromkeys(secret or [], True), **dict.fromkeys(public or [], False)}


def _last_operation(platform: Platform, app_id: str) -> str:
    request = pb.ListOperationsRequest(app_id=app_id, page=1, per_page=1)
    found = platform.read(platform.apps.ListOperations, request).operations
    return str(found[0].id) if found else ""


def _follow(platform: Platform, app_id: str, operation_id: str, *, title: str, no_wait: bool) -> None:
    ended = ""
    if not no_wait:
        ended = wait_for_app(platform, app_id, title)
        check_operation(platform, app_id, operation_id, ended=ended)
    app = platform.read(platform.apps.GetApp, pb.GetAppRequest(app_id=app_id))
    present(app, lambda: print_done(f"{app_id} is {ended}" if ended else title))
