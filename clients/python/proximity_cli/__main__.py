"""`proximity`, or `python -m proximity_cli`."""

from __future__ import annotations

import sys

import grpc
import typer

from proximity_cli import accounts, apps, backups, catalog, hosts, moving, sessions, users, values
from proximity_cli.failures import INTERRUPTED, CliError, explain_error
from proximity_cli.output import print_error

HELP = """Deploy and keep applications on Proxmox VE.

Exit status: 0 done, 1 refused or failed, 2 wrong command line, 3 not signed in, 4 not reachable, 5 not found,
130 interrupted (the work goes on).
"""


def build_app() -> typer.Typer:
    """Return the program with all its commands."""
    app = typer.Typer(help=HELP, no_args_is_help=True, pretty_exceptions_enable=False)
    for module in (accounts, sessions, apps, values, backups, hosts, moving):
        module.register(app)
    app.add_typer(catalog.app, name="catalog")
    app.add_typer(users.app, name="users")
    return app


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return the exit status."""
    try:
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
    return status if isinstance(status, int) else 0


if __name__ == "__main__":
    sys.exit(main())
