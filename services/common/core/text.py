"""Text that people see: characters that it may not hold, wording of messages, masking of secrets, names for shells."""

from __future__ import annotations

import difflib
import ipaddress
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence

_MOST_SHOWN = 80  # characters of a value in a refusal
# C0, DEL and C1; line and paragraph separators; embeddings, overrides and isolates of the bidirectional algorithm.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_CONTROL_BUT_LINES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
# White space, controls of format, and fillers, which Unicode counts as letters; `gateway.patterns` has the same.
_BLANK = re.compile(
    "[\\s\u00a0\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f"
    "\u2000-\u200f\u202a-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb]"
)


# Pages show addresses within markup: quotes, angle brackets and what else no URI has unescaped (RFC 3986) are refused.
_UNSAFE = r"\s\x00-\x1f\x7f\"'<>\\^`{}|"
_EMAIL = re.compile(
    r"[^@\s\x00-\x1f\x7f\"<>\\,;:()]+@[^@\s\x00-\x1f\x7f.\"'<>\\,;:()]+(\.[^@\s\x00-\x1f\x7f.\"'<>\\,;:()]+)+"
)
_URI = re.compile(rf"https?://[^/?#{_UNSAFE}]+[^{_UNSAFE}]*")

_INVISIBLE_CATEGORIES = frozenset(("Cc", "Cf", "Mn", "Me"))


def find_control(text: str) -> str:
    """Return the name of the first character that no text of one line may hold, as `U+000A`; empty when there is none."""
    return _name_first(_CONTROL, text)


def find_control_in_lines(text: str) -> str:
    """Return the name of the first control other than tab and line feed, as `U+001B`; empty when there is none."""
    return _name_first(_CONTROL_BUT_LINES, text)


def is_blank(text: str) -> bool:
    """Whether nothing of a text can be seen; marks need a letter to be on."""
    return all(_BLANK.match(each) or unicodedata.category(each) in _INVISIBLE_CATEGORIES for each in text)


def make_printable(text: str) -> str:
    """Replace every control with a space, for text of others that goes into messages and logs."""
    return _CONTROL.sub(" ", text)


def make_lines_printable(text: str) -> str:
    """Replace every control but tab and line feed with a space, for text of others that a terminal may show."""
    return _CONTROL.sub(lambda found: found.group() if found.group() in "\t\n" else " ", text)


def _name_first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return f"U+{ord(found.group()):04X}" if found else ""


# Least ratio of difflib: `memroy` is near `memory`, `owner_id` is not near `network_cidr`.
_NEARNESS = 0.7
# Least length of a name that may stand for a longer one: `type` for `backup_type`.
_SHORTEST_PART = 4


def suggest(name: str, known: Iterable[str]) -> str:
    """The remedy for an unknown name: the nearest known one, or all of them when none is near."""
    names = sorted(known)
    if not names:
        return "there are none"
    near = _find_near(name, names)
    return f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(names)}"


def refuse_choice(name: str, known: Sequence[str]) -> str:
    """Return the sentence that refuses an unknown value: the known ones in their order, and the nearest one."""
    near = _find_near(name, sorted(known))
    return f"is not one of: {', '.join(known)}" + (f"; did you mean {' or '.join(near)}?" if near else "")


def _find_near(name: str, names: Sequence[str]) -> list[str]:
    spelling = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name[:100]).lower().replace("-", "_")
    near = difflib.get_close_matches(spelling, names, n=1, cutoff=_NEARNESS) or [
        each for each in names if len(spelling) >= _SHORTEST_PART and (spelling in each or each in spelling)
    ]
    return near[:3]


def show_number(number: float) -> str:
    """A number in digits: 1000000, not 1e+06."""
    return str(int(number)) if float(number).is_integer() else repr(number)


def show_value(value: object) -> str:
    """Return a value from a google.protobuf.Struct for a refusal: shortened, and numbers as clients write them.

    protobuf reads each number as a float: 5 would be shown as 5.0.
    """
    text = repr(value) if isinstance(value, str) else json.dumps(_restore_integers(value), ensure_ascii=False)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


def _restore_integers(value: object) -> object:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_restore_integers(each) for each in value]
    if isinstance(value, dict):
        return {key: _restore_integers(each) for key, each in value.items()}
    return value


ALIAS = "PROXIMITY_VALUE_"

_SHELL_NAME = re.compile(
    r"(PATH|HOME|USER|LOGNAME|SHELL|PWD|OLDPWD|TERM|LANG|LANGUAGE|HOSTNAME|HOST|MAIL|SHLVL|TMPDIR|EDITOR|PAGER|_)$"
    r"|(LC|SSH|XDG|SUDO|SYSTEMD|DEBIAN|DOCKER|COMPOSE|BUILDKIT|BUILDX|LD|DBUS)_"
)


def name_reference(name: str) -> str:
    """Return the name by which a definition refers to a value."""
    return f"{ALIAS}{name}" if _SHELL_NAME.match(name) else name


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


def is_valid_format(name: str, value: str) -> bool:
    """Whether a text is what the format `name` demands: email, uri, ip or cidr."""
    return FORMATS[name](value)


def _parses(parse: Callable[[str], object]) -> Callable[[str], bool]:
    def is_valid(value: str) -> bool:
        try:
            parse(value)
        except ValueError:
            return False
        return True

    return is_valid


FORMATS: dict[str, Callable[[str], bool]] = {
    "email": lambda value: _EMAIL.fullmatch(value) is not None,
    "uri": lambda value: _URI.fullmatch(value) is not None,
    # A scope (fe80::1%eth0) may be any text at all, and would get into options as it is.
    "ip": lambda value: "%" not in value and _parses(ipaddress.ip_address)(value),
    "cidr": lambda value: "/" in value and "%" not in value and _parses(ipaddress.ip_interface)(value),
}
