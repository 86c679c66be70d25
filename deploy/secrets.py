"""`python -m deploy.secrets DIRECTORY`: make the secrets that deploy/compose.yaml mounts, where they are missing.

The directory is its owner's alone. The files in it can be read by others because Compose mounts them as they are and
the processes in the containers are not root.
"""

from __future__ import annotations

import sys
from pathlib import Path

from deploy.certificates import make_certificates
from deploy.local.nats import make_passwords
from deploy.local.state import ensure_certificate, ensure_secret, write_secret
from deploy.nats.access import render_users
from services.common.identity.keys import make_service_keys
from services.registry import PROCESSES

_DATABASE = "postgresql://proximity:{password}@postgres:5432/proximity"


def make_secrets(directory: Path) -> None:
    """Make what is missing; what is there stays as it is."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    directory.chmod(0o700)
    make_service_keys(directory)
    ensure_certificate(directory)
    make_certificates(directory / "tls")
    for name in ("secret_key", "admin_password"):
        ensure_secret(directory / name)
    _write_missing(directory / "admin_username", "admin")  # Kubernetes takes both of a secret
    password, _ = ensure_secret(directory / "postgres_password")
    _write_missing(directory / "database_url", _DATABASE.format(password=password))
    passwords = make_passwords(directory)
    write_secret(
        directory / "nats_users", render_users(passwords)
    )  # the permissions are those of this version
    for process in PROCESSES:
        url = f"nats://{process}:{passwords[process]}@nats:4222"
        _write_missing(directory / f"nats_url_{process}", url)
    for file in directory.rglob("*"):
        if file.is_file():
            file.chmod(0o444)


def _write_missing(file: Path, text: str) -> None:
    if not file.exists():
        file.write_text(text, encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Make the secrets in the directory named; 2 without one."""
    if len(arguments) != 1:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    make_secrets(Path(arguments[0]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
