"""Secret values in texts that people see: whole values, and the credentials inside URLs and connection strings."""

from __future__ import annotations

import re
from collections.abc import Iterable

MASK = "********"

_SHORTEST = 4  # characters: shorter values stand in too many words to be looked for
_WHOLE_WORD = 8  # characters: shorter values count only where no letter or digit stands beside them

# Patterns begin at `://` instead of the scheme, and the open-ended one has a limit: a search takes linear time.
# The password of `user:password@`, up to the last @ before the path: passwords hold @ as well.
_PASSWORD = re.compile(r"(?P<before>://[^\s/?#:@]*:)(?P<secret>[^\s/?#]+)(?=@)")
# The same where the password holds what a URL would have to encode: `/`, `?` or `#`. Digits alone are a port.
_UNENCODED = re.compile(
    r"(?P<before>://[^\s/?#:@]*:)(?!\d{1,5}[/?#])(?P<secret>(?!\*{8}@)[^\s,]{1,256})(?=@)"
)
# `user:password@host` and `//user:password@host` without a scheme, as drivers of databases take them. Addresses of
# mail, SIP and the like, and digests of images, look alike.
_BARE = re.compile(
    r"(?P<before>(?:^|(?<=[\s=,;\"'(/]))(?!(?:mailto|sips?|acct|xmpp|im|tel|ssh|git):)[\w.+-]*:)"
    r"(?P<secret>(?!//)[^\s:/@]+(?:@[^\s:/@]+)*)(?=@(?!sha\d{3}:)[\w(\[])"
)
# A user alone that is too long for a name: a token, as Git servers take it.
_TOKEN = re.compile(r"(?P<before>://)(?P<secret>[^\s/?#:@]{20,})(?=@)")
_CREDENTIALS = (_PASSWORD, _UNENCODED, _BARE, _TOKEN)
# `password=...` of query strings, connection strings and options (`-Ddb.password=...`).
_PAIR = re.compile(
    r"(?P<before>(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[_-]?key|access[_-]?key|auth[_-]?key|sig)=)"
    r"(?P<secret>\"[^\"]*\"|'[^']*'|[^\s&;,\"']+)",
    re.IGNORECASE,
)


def mask_credentials(text: str) -> str:
    """Return `text` with the credentials inside URLs and connection strings masked; the rest stays readable."""
    if "=" not in text and "@" not in text:
        return text
    for pattern in (*_CREDENTIALS, _PAIR):
        text = pattern.sub(lambda match: match["before"] + MASK, text)
    return text


def find_credentials(text: str) -> set[str]:
    """Return the credentials inside the URLs and connection strings of `text`."""
    return {
        match["secret"].strip("\"'") for pattern in (*_CREDENTIALS, _PAIR) for match in pattern.finditer(text)
    }


def mask_values(text: str, values: Iterable[str]) -> str:
    """Return `text` with these values masked, the longest first, and the credentials inside them by themselves.

    Values below four characters stay: they stand in too many other words. Values below eight count as whole words only.
    """
    wanted = set[str]()
    for value in values:
        wanted |= {value, *find_credentials(value), *value.splitlines()}
    for value in sorted(wanted, key=len, reverse=True):
        if len(value) >= _WHOLE_WORD:
            text = text.replace(value, MASK)
        elif len(value) >= _SHORTEST:
            text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(value)}(?![A-Za-z0-9])", MASK, text)
    return text
