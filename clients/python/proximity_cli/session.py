"""Where the platform is and who is signed in: a file that its owner alone can read."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from urllib.parse import urlsplit

from proximity_cli.failures import NOT_SIGNED_IN, CliError
from proximity_cli.inputs import read_text


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


_TYPES: dict[str, tuple[type, ...]] = {"expires_at": (int, float), "insecure": (bool,)}  # the others are str


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
    token = os.environ.get("PROXIMITY_TOKEN", "").strip()
    stored = _read_file()
    named = os.environ.get("PROXIMITY_URL", "")
    wanted = parse_address(named) if named else ""
    if token:
        check_token(token, "PROXIMITY_TOKEN")
        url = wanted or (stored.url if stored else "http://127.0.0.1:8000")
        same = stored if stored and stored.url == url else trust_environment(Session(url))
        return Session(
            url, access=token, expires_at=float("inf"), ca=same.ca, pin=same.pin, insecure=same.insecure
        )
    if stored is None or not stored.access:
        raise CliError("Not signed in", status=NOT_SIGNED_IN, hint="Sign in with: proximity login URL")
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
    trusted = read_text(Path(file)) if file else ""
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
        stored = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:
        raise _refuse(file, str(error)) from error
    if not isinstance(stored, dict):
        raise _refuse(file, "it is no JSON object")
    # What a newer release added is left out.
    given = {each.name: stored[each.name] for each in fields(Session) if each.name in stored}
    wrong = [name for name, value in given.items() if not isinstance(value, _TYPES.get(name, str))]
    if wrong or "url" not in given:
        raise _refuse(file, f"{wrong[0] if wrong else 'url'} is missing or of another type")
    check_token(given.get("access", ""), str(file))
    return Session(**given)


def _refuse(file: Path, reason: str) -> CliError:
    hint = "Sign in again with: proximity login URL"
    return CliError(f"{file} is not a session: {reason}", status=NOT_SIGNED_IN, hint=hint)


def check_token(token: str, source: str) -> None:
    """Refuse a token with characters that no header can carry.

    Raises:
        CliError: it has some.
    """
    if not (token.isascii() and token.isprintable()):
        raise CliError(f"{source}: the token has characters that no token has", status=NOT_SIGNED_IN)


def parse_address(text: str) -> str:
    """Return the address of a platform as `https://host:8000`; what `make run` prints has /api behind it.

    Raises:
        CliError: it is none.
    """
    try:
        parts = urlsplit(text.strip())
        valid = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        valid = False
    if "@" in text:
        raise CliError("an address has no username and no password in it", status=2)
    if not valid or parts.path.rstrip("/") not in {"", "/api"}:
        raise CliError(f"{text!r} is no address; it reads like https://host:8000", status=2)
    return f"{parts.scheme}://{parts.netloc}"
