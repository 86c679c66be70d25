"""Parsers of the values of settings: each raises ValueError with what is wrong."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from urllib.parse import urlsplit

_ORIGIN = re.compile(r"https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")


def parse_bool(text: str) -> bool:
    """True for 1, true, yes, on; False for 0, false, no, off and the empty string, whatever the case.

    Raises:
        ValueError: anything else.
    """
    lowered = text.strip().lower()
    if lowered in {"1", "true", "yes", "on"}:
        return True
    if lowered in {"0", "false", "no", "off", ""}:
        return False
    raise ValueError(f"{text!r} is neither true nor false")


def parse_list(text: str) -> tuple[str, ...]:
    """Values separated by commas, without empty ones."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def parse_networks(text: str) -> tuple[str, ...]:
    """Networks like 10.0.0.0/8, comma-separated.

    Raises:
        ValueError: one of them is none.
    """
    found = parse_list(text)
    for network in found:
        ipaddress.ip_network(network)
    return found


def parse_origins(text: str) -> tuple[str, ...]:
    """Origins as browsers send them, `https://host[:port]`, comma-separated.

    Raises:
        ValueError: one of them is none: `*` and `null` would admit the pages of every site.
    """
    return tuple(map(parse_origin, parse_list(text)))


def parse_origin(text: str) -> str:
    """One origin; a slash at its end is dropped.

    Raises:
        ValueError: see `parse_origins`.
    """
    origin = text.removesuffix("/")
    if not _ORIGIN.fullmatch(origin):
        raise ValueError(
            f"{text!r} is no origin like https://console.example.org, which has no path and no *"
        )
    return origin.lower()


def parse_dsn(text: str) -> str:
    """A DSN of Sentry, `https://key@host/project`.

    Raises:
        ValueError: it is none; what it holds is not said, as its key is a secret.
    """
    try:
        parts = urlsplit(text)
        known = parts.scheme in {"http", "https"} and parts.username and parts.hostname and parts.port != 0
    except ValueError:
        known = False
    if not known or not parts.path.rpartition("/")[2].isdecimal():
        raise ValueError("is no DSN like https://key@host/1")
    return text


def parse_int(low: int, high: int) -> Callable[[str], int]:
    """A parser of whole numbers from `low` to `high`."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise ValueError(f"{text!r} is not a whole number") from None
        if not low <= value <= high:
            raise ValueError(f"{value} is not between {low} and {high}")
        return value

    return parse
