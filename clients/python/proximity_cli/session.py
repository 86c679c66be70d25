"""Where the platform is and who is signed in: a file that its owner alone can read."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from proximity_cli.failures import NOT_SIGNED_IN, CliError


@dataclass(frozen=True)
class Session:
    """One sign-in.

    Attributes:
        url: of the gateway.
        access: the token that calls carry.
        refresh: gets the next pair; empty for an API token.
        expires_at: when `access` ends, in epoch seconds.
        ca: certificates to trust, PEM.
        pin: SHA-256 fingerprint of the only certificate to trust.
        insecure: any certificate will do.
    """

    url: str
    username: str = ""
    access: str = ""
    refresh: str = ""
    expires_at: float = 0.0
    ca: str = ""
    pin: str = ""
    insecure: bool = False


def get_directory() -> Path:
    """Return where sessions are stored."""
    chosen = os.environ.get("PROXIMITY_CONFIG_DIR")
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(chosen) if chosen else Path(base) / "proximity"


def read_session() -> Session:
    """Return the session of the environment, else of the file.

    Raises:
        CliError: there is none.
    """
    token = os.environ.get("PROXIMITY_TOKEN")
    stored = _read_file()
    if token:
        url = os.environ.get("PROXIMITY_URL") or (stored.url if stored else "http://127.0.0.1:8000")
        same = stored if stored and stored.url == url else trust_environment(Session(url))
        return Session(
            url, access=token, expires_at=float("inf"), ca=same.ca, pin=same.pin, insecure=same.insecure
        )
    if stored is None or not stored.access:
        raise CliError("Not signed in", status=NOT_SIGNED_IN, hint="Sign in with: proximity login URL")
    wanted = os.environ.get("PROXIMITY_URL", "").rstrip("/")
    if wanted and wanted != stored.url:
        raise CliError(
            f"Not signed in at {wanted}, which PROXIMITY_URL names: the session is for {stored.url}",
            status=NOT_SIGNED_IN,
            hint=f"Sign in with: proximity login {wanted}; or unset PROXIMITY_URL",
        )
    return stored


def trust_environment(session: Session) -> Session:
    """Return a session with what the environment says of certificates: PROXIMITY_CA_FILE and PROXIMITY_FINGERPRINT.

    Raises:
        OSError: the file cannot be read.
    """
    file = os.environ.get("PROXIMITY_CA_FILE")
    trusted = Path(file).read_text(encoding="utf-8") if file else ""
    return replace(session, ca=trusted, pin=os.environ.get("PROXIMITY_FINGERPRINT", ""))


def write_session(session: Session) -> None:
    """Keep a session, in place of the one before."""
    directory = get_directory()
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = directory / f"session.json.{os.getpid()}"
    with os.fdopen(
        os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
    ) as file:
        json.dump(asdict(session), file)
    partial.replace(directory / "session.json")


def forget_session() -> None:
    """Remove the session."""
    (get_directory() / "session.json").unlink(missing_ok=True)


@contextlib.contextmanager
def lock_session() -> Iterator[None]:
    """Let one process at a time renew the session: a refresh token that is used twice ends its whole family."""
    directory = get_directory()
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _read_file() -> Session | None:
    file = get_directory() / "session.json"
    try:
        return Session(**json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise CliError(
            f"{file} is not a session: {error}", hint="Sign in again with: proximity login URL"
        ) from error
