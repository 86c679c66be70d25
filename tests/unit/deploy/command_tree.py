"""The commands of the command line as it parses them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer.main
from proximity_cli.__main__ import build_app


def list_commands() -> dict[str, Any]:
    """Return the commands by their words, `hosts test`."""

    def walk(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        for name, child in getattr(command, "commands", {}).items():
            yield from walk(child, (*words, name))
        if not hasattr(command, "commands"):
            yield " ".join(words), command

    return dict(walk(typer.main.get_command(build_app()), ()))


COMMANDS = list_commands()
