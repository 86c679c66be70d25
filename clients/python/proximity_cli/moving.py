"""import-django: the platform's own program, for those who look for it here."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import typer

from proximity_cli.failures import CliError

_PROGRAM = Path("deploy", "import_django", "__main__.py")
_ANYTHING = {"allow_extra_args": True, "ignore_unknown_options": True}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("import-django", context_settings=_ANYTHING, add_help_option=False)(import_django)


def import_django(context: typer.Context) -> None:
    """Move in from the Django system; --help says how. In the platform's directory, where its databases are."""
    if not _PROGRAM.is_file():
        raise CliError(
            f"The platform is not in {Path.cwd()}.",
            hint="Run this in its directory, on the machine where its databases are.",
        )
    sys.path.insert(0, str(Path.cwd()))
    sys.argv = ["import-django", *context.args]
    runpy.run_module("deploy.import_django", run_name="__main__", alter_sys=True)
