"""Checks of variables beyond their own syntax: unknown and misspelt names, settings that need others, weaknesses."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

OURS = "PROXIMITY_"
_REPLACED = {
    "REDIS_URL": "there is no Redis: NATS_URL names the NATS servers, which carry jobs, events and revocations",
    "CELERY_BROKER_URL": "there is no Celery: workers take their jobs from NATS (NATS_URL)",
    "CELERY_RESULT_BACKEND": "results of jobs are operations, in the services' databases (DATABASE_URL)",
    "DJANGO_SETTINGS_MODULE": "there is no Django: docs/configuration.md lists every variable",
    "ALLOWED_HOSTS": "the gateway answers for any name; a proxy before it decides about names",
}
_CLOSE = 0.85  # similarity from which a name counts as a misspelling: one letter of seven differs


def explain_replaced(environ: Mapping[str, str]) -> list[str]:
    """A sentence for each variable of the Django system that is set and has no effect here."""
    found = []
    for name in sorted(environ):
        if name in _REPLACED:
            found.append(f"{name} has no effect: {_REPLACED[name]}")
        elif name.startswith("CELERY_"):
            found.append(
                f"{name} has no effect: there is no Celery; workers take their jobs from NATS (NATS_URL)"
            )
    return found


def find_misspelt(environ: Mapping[str, str], known: Collection[str]) -> list[str]:
    """Return a fault for each variable that no setting reads and that was meant to be one of ours.

    That is what begins with PROXIMITY_, and what differs from a known name in a letter or two.
    """
    known = {*known, *(f"{name}_FILE" for name in known)}
    faults = []
    for name in sorted(set(environ) - known):
        close = difflib.get_close_matches(name, known, n=1, cutoff=_CLOSE) if _is_similar(name) else []
        if close:
            faults.append(f"{name}: there is no such variable; {close[0]} is one")
        elif name.startswith(OURS):
            faults.append(f"{name}: there is no such variable; docs/configuration.md lists them all")
    return faults


def _is_similar(name: str) -> bool:
    """Whether a name is worth comparing: variables of shells and programs are many."""
    return len(name) > 6 and not name.startswith(("PYTHON", "OTEL_", "PIP_", "PYTEST_", "XDG_", "LC_"))


def find_incomplete(kind: type[Any], source: Mapping[str, str]) -> list[str]:
    """Name each variable that is set without another one that it needs."""
    return [
        f"{metadata['name']}: is set without {' or '.join(needed)}; set both, or neither"
        for metadata in (field.metadata for field in dataclasses.fields(kind) if "name" in field.metadata)
        for needed in metadata["needs"]
        if _is_set(metadata["name"], source) and not any(_is_set(name, source) for name in needed)
    ]


def _is_set(name: str, source: Mapping[str, str]) -> bool:
    return bool(source.get(name) or source.get(f"{name}_FILE"))


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
