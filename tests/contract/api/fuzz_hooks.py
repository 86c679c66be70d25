"""What schemathesis leaves alone, so that its own token and the only host last until it is done.

It loads this in a process of its own.
"""

from __future__ import annotations

from typing import Any

import schemathesis

# The first of each kind is what everybody else uses: the administrator, the token of the fuzzer, the host.
PROTECTED = ("/api/auth/users/{id}", "/api/auth/tokens/{id}", "/api/proxmox/hosts/{id}")
FIRST_FREE = 1_000


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Point writes at what is not there, never at what the platform stands on."""
    operation = context.operation
    if path_parameters and operation.path in PROTECTED and operation.method.upper() != "GET":
        number = _read_number(path_parameters.get("id"))
        if 0 < number < FIRST_FREE:
            path_parameters["id"] = number + FIRST_FREE
    return path_parameters


def _read_number(value: Any) -> int:
    """The id that the platform will read: what follows a link holds text."""
    try:
        return int(float(str(value)))
    except (ValueError, OverflowError):
        return 0
