"""Checks of settings for production (DEBUG=False), and the names by which some findings can be accepted."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

WEAKNESSES = ("default-passwords", "http-cookies", "proxmox-tls")
MIN_SECRET = 32  # characters: 128 bits, written in hexadecimal digits
_MIN_DISTINCT = 8  # different characters: `aaaa…` is long and no secret
_PLACEHOLDERS = ("changeme", "change-me", "change_me", "replace", "example", "insecure", "your-secret")
_DEFAULT_PASSWORDS = frozenset(
    {
        "",
        "admin",
        "changeme",
        "default",
        "guest",
        "nats",
        "password",
        "postgres",
        "proximity",
        "proxmox",
        "root",
    }
    | {"secret", "secret123", "test", "12345678", "123456789"}
)


def parse_weaknesses(text: str) -> tuple[str, ...]:
    """Names of weaknesses that are accepted.

    Raises:
        ValueError: one is not known.
    """
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    for name in found:
        if name not in WEAKNESSES:
            raise ValueError(f"{name!r} is not one of {', '.join(WEAKNESSES)}")
    return found


def find_weak_secret(secret: str) -> str:
    """Return why a SECRET_KEY is too weak for production, or an empty text."""
    lowered = secret.lower()
    if len(secret) < MIN_SECRET:
        return f"has {len(secret)} characters; at least {MIN_SECRET} are needed"
    if len(set(secret)) < _MIN_DISTINCT:
        return f"has only {len(set(secret))} different characters; make one with `openssl rand -base64 36`"
    if found := next((word for word in _PLACEHOLDERS if word in lowered), ""):
        return f"contains {found!r}, so it is a placeholder; make one with `openssl rand -base64 36`"
    return ""


def find_short_keys(keys: Sequence[str]) -> str:
    """Return which of the former keys is shorter than a SECRET_KEY may be, or an empty text.

    A placeholder is no fault here, since it may be what is replaced.
    """
    for number, key in enumerate(keys, start=1):
        if len(key) < MIN_SECRET:
            return (
                f"number {number} has {len(key)} characters, and a SECRET_KEY at least {MIN_SECRET}; "
                "a shorter one is replaced by rotate-keys of each service with DEBUG=True"
            )
    return ""


def find_weak_url(url: str) -> str:
    """Return why the password in a URL is too weak for production, or an empty text."""
    for part in url.split(","):
        found = urlsplit(part.strip())
        if found.password is not None and is_default_password(found.password, found.username or ""):
            return f"has a default password for {found.username or 'nobody'}"
    return ""


def is_default_password(password: str, username: str) -> bool:
    """Whether a password is one that is tried first."""
    lowered = password.lower()
    return lowered in _DEFAULT_PASSWORDS or lowered in {username.lower(), username.lower()[::-1]}
