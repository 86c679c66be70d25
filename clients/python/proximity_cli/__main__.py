"""`proximity`, or `python -m proximity_cli`."""

from __future__ import annotations

import io
import sys
import traceback
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import grpc
import typer

from proximity_cli import (
    accounts,
    app_output,
    apps,
    backups,
    catalog,
    exports,
    hosts,
    moving,
    sessions,
    shell,
    users,
    values,
)
from proximity_cli.failures import INTERRUPTED, CliError, explain_error
from proximity_cli.inputs import check_arguments
from proximity_cli.output import print_error, with_output
from proximity_cli.rpcs import make_command
from proximity_cli.surface import GROUPS, RPCS

HELP = """Deploy and keep applications on Proxmox VE.

Exit status: 0 done, 1 refused or failed, 2 wrong command line, 3 not signed in, 4 not reachable, 5 not found,
130 interrupted (the work goes on).
"""
_NAMED: dict[str, Callable[..., None]] = {
    "backups list": backups.list_backups,
    "catalog list": catalog.list_items,
    "catalog search": catalog.search,
    "catalog show": catalog.show,
    "hosts list": hosts.list_hosts,
    "nodes": hosts.list_nodes,
    "operations watch": apps.watch_operation,
    "sessions list": sessions.list_sessions,
    "sessions end": sessions.end_session,
    "step-up": sessions.step_up,
    "users list": users.list_users,
    "users create": users.create,
    "users invite": users.invite,
    "users reset-link": users.reset_link,
    "users end-sessions": users.end_sessions,
    "users promote": users.promote,
    "users demote": users.demote,
    "users activate": users.activate,
    "users deactivate": users.deactivate,
    "users delete": users.delete,
}


# Groups that list without a further word: `proximity hosts`.
_DEFAULTS = {name: f"{name} list" for name in ("backups", "hosts", "users", "tokens", "sessions", "sources")}


def build_app() -> typer.Typer:
    """Return the program with all its commands."""
    app = typer.Typer(
        help=HELP,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(help=HELP)(_read_global_options)
    for module in (accounts, apps, app_output, shell, values, backups, exports, moving):
        module.register(app)
    commands = {**_NAMED, **{rpc.command: make_command(rpc) for rpc in RPCS}}
    groups = {name: typer.Typer(help=text) for name, text in GROUPS.items()}
    for name, group in groups.items():
        app.add_typer(group, name=name, no_args_is_help=name not in _DEFAULTS)
        if default := commands.get(_DEFAULTS.get(name, "")):
            group.callback(invoke_without_command=True)(_make_default(default))
    for words, command in commands.items():
        parent, _, name = words.rpartition(" ")
        (groups[parent] if parent else app).command(name)(with_output(command))
    return app


def _make_default(command: Callable[..., None]) -> Callable[..., None]:
    """Return what a group does when no command follows it."""

    def run(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            command()

    return with_output(run)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(find_version())
        raise typer.Exit


def _read_global_options(
    _version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_print_version, help="Print the release and end."),
    ] = False,
) -> None:
    """Options before the command."""


def find_version() -> str:
    """Return the release of the command line."""
    try:
        return version("proximity-cli")
    except PackageNotFoundError:
        return "unknown: it is not installed as a package"


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal without UTF-8 gets an escape for what it lacks
            stream.reconfigure(errors="backslashreplace")
    try:
        check_arguments(sys.argv[1:] if arguments is None else arguments)
        status = build_app()(args=arguments, prog_name="proximity", standalone_mode=True)
    except SystemExit as stop:
        status = stop.code
    except KeyboardInterrupt:
        return INTERRUPTED
    except CliError as error:
        print_error(str(error), error.hint)
        return error.status
    except grpc.RpcError as error:
        refusal = explain_error(error)
        print_error(str(refusal), refusal.hint)
        return refusal.status
    except OSError as error:  # of a file: what happens on the network is gRPC's
        print_error(f"{error.filename or 'standard input or output'}: {error.strerror or error}")
        return 1
    except Exception as error:  # noqa: BLE001 - a fault of this program: one line that a report of it can quote
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        print_error(
            f"{type(error).__name__} at {where}: {error}", "This is a fault of the command line itself."
        )
        return 1
    return status if isinstance(status, int) else 0


if __name__ == "__main__":
    sys.exit(main())
