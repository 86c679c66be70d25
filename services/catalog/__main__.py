"""`python -m services.catalog check [folder] | icons`."""

from __future__ import annotations

import sys
from pathlib import Path

from services.catalog.check import check_catalog, draw_icons
from services.catalog.files import DATA

_COMMANDS = {"check": check_catalog, "icons": draw_icons}


def run_command(arguments: list[str]) -> int:
    """Run one command and return its exit status."""
    if not arguments or arguments[0] not in _COMMANDS:
        sys.stderr.write(f"usage: python -m services.catalog {' | '.join(_COMMANDS)}\n")
        return 2
    folder = Path(arguments[1]) if len(arguments) > 1 else DATA
    return _COMMANDS[arguments[0]](folder)


if __name__ == "__main__":
    sys.exit(run_command(sys.argv[1:]))
