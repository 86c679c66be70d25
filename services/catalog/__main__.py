"""`python -m services.catalog work | check-config | check [folder] | icons [folder]`."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from services.catalog.check import check_catalog, draw_icons
from services.catalog.config import CatalogSettings
from services.catalog.files import DATA
from services.catalog.server import build_catalog, run_worker
from services.common.config import ConfigError, read_settings
from services.common.log import configure_logging

_COMMANDS = ("work", "check-config", "check", "icons")


def run_command(arguments: list[str]) -> int:
    """Run one command and return its exit status: 2 where the command or the settings are wrong."""
    command, *rest = arguments or [""]
    folder = Path(rest[0]) if rest else DATA
    match command:
        case "check":
            return check_catalog(folder)
        case "icons":
            return draw_icons(folder)
        case "work" | "check-config":
            return _run_with_settings(command)
    sys.stderr.write(f"usage: python -m services.catalog {' | '.join(_COMMANDS)}\n")
    return 2


def _run_with_settings(command: str) -> int:
    try:
        settings = read_settings(CatalogSettings)
    except ConfigError as error:
        sys.stderr.write("".join(f"{fault}\n" for fault in error.faults))
        return 2
    if command == "work":
        configure_logging("catalog", debug=settings.debug)
        asyncio.run(work(settings))
    return 0


async def work(settings: CatalogSettings) -> None:
    """Fetch sources until told to end by SIGTERM or SIGINT."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    async with run_worker(build_catalog(settings)):
        await ended.wait()


if __name__ == "__main__":
    sys.exit(run_command(sys.argv[1:]))
