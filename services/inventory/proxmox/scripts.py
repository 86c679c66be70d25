"""Scripts that run in containers, and the random marks in them."""

from __future__ import annotations

import shlex
import uuid


def new_token() -> str:
    """Return a text that no output contains by chance."""
    return f"px{uuid.uuid4().hex[:16]}"


def render_write(source: str, path: str, *, mode: int, size: int) -> str:
    """A script that writes a file, whole or not at all: `source` prints its `size` bytes."""
    folder, beside = path.rpartition("/")[0] or "/", shlex.quote(f"{path}.{new_token()[-8:]}")
    steps = [
        f"mkdir -p {shlex.quote(folder)}",
        f"(umask 077; {source} > {beside})",
        f'[ "$(($(wc -c < {beside})))" = {size} ]',
        f"chmod {mode or 0o644:04o} {beside}",
        f"mv -f {beside} {shlex.quote(path)}",
    ]
    return " && ".join(steps) + f"; code=$?; rm -f {beside}; exit $code"
