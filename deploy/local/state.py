"""The state directory: one owner at a time, secrets, certificate, ports that stay the same over restarts."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import ipaddress
import json
import os
import secrets
import socket
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_PORTS = range(20_000, 32_000)  # below what the kernel gives to outgoing connections
# What the platform writes into a state directory; a directory with more in it stays as it is in the rest.
_OWN = (
    "before-*",
    "certs",
    "db",
    "keys",
    "lock",
    "logs",
    "nats",
    "pvesim",
    "sockets",
    "*.json",
    "*.conf",
    "*.log",
)
_VALID_DAYS = 825  # browsers refuse certificates that are valid for longer


class StateLock:
    """Lock of a stack on its state directory; the kernel releases it however the process ends."""

    def __init__(self, state: Path) -> None:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        make_private(state)
        self._file = os.open(state / "lock", os.O_RDWR | os.O_CREAT, 0o600)

    def acquire(self) -> bool:
        """Take it; False when another process has it."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        """Let go of it."""
        os.close(self._file)


def make_private(state: Path) -> None:
    """Take the permissions of other accounts away from a state directory and from what the platform wrote into it.

    Raises:
        PermissionError: the directory is one that accounts share, as /tmp.
    """
    if state.stat().st_mode & stat.S_ISVTX:
        raise PermissionError(errno.EPERM, "accounts share that directory; name one of its own")
    state.chmod(0o700)
    for name in _OWN:
        for file in state.glob(name):
            _make_private(file)
            for folder, folders, files in os.walk(file):  # does not follow links
                for each in (*folders, *files):
                    _make_private(Path(folder) / each)


def _make_private(file: Path) -> None:
    # A file may vanish meanwhile, or belong to another account; the mode of the state directory protects that one.
    with contextlib.suppress(FileNotFoundError, PermissionError):
        mode = file.lstat().st_mode
        if mode & 0o077 and not stat.S_ISLNK(mode):
            file.chmod(stat.S_IMODE(mode) & ~0o077)


def write_secret(file: Path, text: str) -> None:
    """Write a file whole or not at all, readable by its owner alone."""
    partial = file.with_name(f"{file.name}.partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(
        os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
    ) as out:
        out.write(text)
    partial.replace(file)


def ensure_secret(file: Path) -> tuple[str, bool]:
    """Return the secret in a file and whether it was made just now."""
    if file.exists():
        return file.read_text(encoding="utf-8").strip(), False
    write_secret(file, secrets.token_urlsafe(24))
    return file.read_text(encoding="utf-8").strip(), True


def read_json(file: Path) -> dict[str, Any]:
    """Read a JSON object; empty when there is no such file."""
    try:
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return found


def choose_ports(state: Path, names: list[str]) -> dict[str, int]:
    """A free loopback port for each name, the same as last time where it still is free.

    Raises:
        OSError: no port was free in 200 attempts.
    """
    file = state / "ports.json"
    known = read_json(file)
    chosen: dict[str, int] = {}
    for name in names:
        before = int(known.get(name, 0))
        chosen[name] = (
            before if before and _is_free(before) else _find_port(set(known.values()) | set(chosen.values()))
        )
    write_secret(file, json.dumps(known | chosen, indent=2))
    return chosen


def _find_port(taken: set[int]) -> int:
    for _ in range(200):
        port = secrets.choice(_PORTS)
        if port not in taken and _is_free(port):
            return port
    raise OSError("no free port was found")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def ensure_certificate(folder: Path) -> tuple[Path, Path]:
    """Return a self-signed certificate for this machine and its key, made when there is none or it ends soon."""
    chain, key = folder / "gateway.crt", folder / "gateway.key"
    if not chain.exists() or not key.exists() or _ends_soon(chain):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _make_certificate(chain, key)
    return chain, key


def _ends_soon(chain: Path) -> bool:
    ends = x509.load_pem_x509_certificate(chain.read_bytes()).not_valid_after_utc
    return ends < datetime.now(UTC) + timedelta(days=30)


def _make_certificate(chain: Path, key: Path) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "proximity")])
    names: list[x509.GeneralName] = [x509.DNSName(host) for host in {"localhost", socket.gethostname()}]
    names += [x509.IPAddress(ipaddress.ip_address(address)) for address in ("127.0.0.1", "::1")]
    start = datetime.now(UTC) - timedelta(minutes=5)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=_VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(private, hashes.SHA256())
    )
    text = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_secret(key, text.decode())
    chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
