"""Unix sockets of a local stack: gRPC of the services, Envoy's admin, the gateway's inner listener.

Sockets have permissions of files, ports of the loopback do not: other accounts of the machine cannot connect.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
from pathlib import Path

_LONGEST_NAME = "inventory.sock"
_MOST_BYTES = 100  # the kernel takes paths of 107 bytes; some are left for names to come
_PLAIN = re.compile(r"[A-Za-z0-9._/-]+")  # gRPC reads `unix:` addresses as URIs


def find_socket_folder(state: Path) -> Path:
    """Return the directory of a state directory's sockets, made with mode 700.

    It is in the state. Where that path is too long for a socket or has characters that URIs reserve, it is in the
    temporary directory, named after the account and the state.

    Raises:
        OSError: it cannot be made, or another account owns it.
    """
    folder = state / "sockets"
    place = str(folder / _LONGEST_NAME)
    if len(os.fsencode(place)) > _MOST_BYTES or not _PLAIN.fullmatch(place):
        digest = hashlib.sha256(os.fsencode(state)).hexdigest()[:16]
        folder = Path(tempfile.gettempdir()) / f"proximity-{os.getuid()}-{digest}"
    folder.mkdir(mode=0o700, exist_ok=True, parents=True)
    found = folder.lstat()  # nobody else may have put a directory or a link there before
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise PermissionError(f"{folder} is not a directory of this account; remove it")
    folder.chmod(0o700)
    return folder


def name_socket(state: Path, name: str) -> Path:
    """Return the path of the socket of a service, `admin` (of Envoy) or `keys` (the gateway's inner listener)."""
    return find_socket_folder(state) / f"{name}.sock"


def name_websocket_socket(state: Path, service: str) -> Path:
    """Return the path of the socket on which a service answers WebSockets."""
    return name_socket(state, f"{service}-ws")


def name_address(state: Path, service: str) -> str:
    """Return the gRPC address of a service."""
    return f"unix:{name_socket(state, service)}"
