"""`python -m services.catalog serve | work | migrate | check-config | rotate-keys | poison-messages | check | check-source | icons`."""

from __future__ import annotations

import sys
from pathlib import Path

from services.catalog.commands import check_catalog, check_source, draw_icons
from services.catalog.config import DATA, CatalogSettings
from services.catalog.server import serve, work
from services.catalog.store.tables import idempotency
from services.common.process.commands import main
from services.common.rpc.interceptors.idempotency import seal_column

_COMMANDS = (
    "serve",
    "work",
    "migrate",
    "check-config",
    "rotate-keys",
    "poison-messages",
    "check",
    "check-source",
    "icons",
)


def run_command(arguments: list[str]) -> int:
    """Run one command and return its exit status: 2 where the command or the settings are wrong."""
    command, *rest = arguments or [""]
    folder = Path(rest[0]) if rest else DATA
    match command:
        case "check":
            return check_catalog(folder)
        case "check-source":
            return check_source(folder, rest[1] if rest[1:] else "")
        case "icons":
            return draw_icons(folder, Path(rest[1]) if rest[1:] else None)
        case known if known in _COMMANDS:
            sealed = [seal_column(idempotency)]
            return main("catalog", CatalogSettings, serve=serve, work=work, sealed=sealed, argv=arguments)
    sys.stderr.write(f"usage: python -m services.catalog {' | '.join(_COMMANDS)}\n")
    return 2


if __name__ == "__main__":
    sys.exit(run_command(sys.argv[1:]))
