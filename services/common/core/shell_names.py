"""Names of variables that a shell, or Docker Compose itself, uses: values under them are referred to by another name.

Compose takes a variable of the process that calls it before one of the `.env` file, and obeys some of the file's.
"""

from __future__ import annotations

import re

ALIAS = "PROXIMITY_VALUE_"

_SHELL_NAME = re.compile(
    r"(PATH|HOME|USER|LOGNAME|SHELL|PWD|OLDPWD|TERM|LANG|LANGUAGE|HOSTNAME|HOST|MAIL|SHLVL|TMPDIR|EDITOR|PAGER|_)$"
    r"|(LC|SSH|XDG|SUDO|SYSTEMD|DEBIAN|DOCKER|COMPOSE|BUILDKIT|BUILDX|LD|DBUS)_"
)


def name_reference(name: str) -> str:
    """Return the name by which a definition refers to a value."""
    return f"{ALIAS}{name}" if _SHELL_NAME.match(name) else name
