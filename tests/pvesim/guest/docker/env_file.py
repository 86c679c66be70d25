"""`.env` files, as Compose 2.40 reads them: not quite as a shell does."""

import re
from collections.abc import Mapping

from tests.pvesim.guest.docker.interpolation import substitute
from tests.pvesim.guest.docker.state import DockerError

_BLANKS = "\t\v\f\r \x85\xa0"  # within a line
_ESCAPE = re.compile(r'\\(?:[abcfnrtv$"\\]|0\d{0,3})')
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", '"': '"', "\\": "\\"}


def parse_env_file(text: str, *, variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """Read assignments: comments, quotes and `export` as Compose knows them; a name alone takes the shell's value.

    Raises:
        DockerError: a line's name is none, a quote is not closed, or a variable is written wrongly.
    """
    outer, found = variables or {}, dict[str, str]()
    rest = text
    while rest := _skip_comments(rest):
        line = text.count("\n") - rest.count("\n") + 1
        name, is_alone, rest = _read_name(rest, line)
        if is_alone:
            found |= {name: outer[name]} if name in outer else {}
            continue
        value, expands, rest = _read_value(rest, line)
        found[name] = _expand(value, {**found, **outer}) if expands else value
    return found


def _skip_comments(text: str) -> str:
    text = text.lstrip()
    while text.startswith("#"):
        text = text.partition("\n")[2].lstrip()
    return text


def _read_name(text: str, line: int) -> tuple[str, bool, str]:
    text = re.sub(r"^export\s+", "", text)
    for position, character in enumerate(text):
        if character in "=:\n":
            name = text[:position].rstrip()
            if " " in name:
                raise DockerError(f"failed to read .env: line {line}: key cannot contain a space")
            return name, character == "\n", text[position + 1 :].lstrip(_BLANKS)
        if not (character in _BLANKS or character in "_.-[]" or character.isalpha() or character.isnumeric()):
            raise DockerError(
                f'failed to read .env: line {line}: unexpected character "{character}" in variable name '
                f'"{text.partition(chr(10))[0]}"'
            )
    if not text:
        raise DockerError("failed to read .env: zero length string")
    return (
        "",
        False,
        text.lstrip(_BLANKS),
    )  # a name alone at the very end: Compose takes it for a value without a name


def _read_value(text: str, line: int) -> tuple[str, bool, str]:
    """A value, whether variables in it are replaced, and what follows."""
    quote = text[:1]
    if quote not in ("'", '"'):
        plain, _, rest = text.partition("\n")
        return plain.partition(" #")[0].rstrip(), True, rest
    characters: list[str] = []
    is_escaped = False
    for position, character in enumerate(text[1:], 1):
        if character == quote and not is_escaped:
            value = "".join(characters)
            return (_unescape(value) if quote == '"' else value), quote == '"', text[position + 1 :]
        if character == "\\" and not is_escaped:
            is_escaped = True
            continue
        characters.append("\\" + character if is_escaped and character != quote else character)
        is_escaped = False
    raise DockerError(
        f"failed to read .env: line {line}: unterminated quoted value {text.partition(chr(10))[0]}"
    )


def _unescape(value: str) -> str:
    def replace(match: re.Match[str]) -> str:
        escape = match.group()[1:]
        if escape == "$":
            return "$$"
        if escape.startswith("0"):
            digits = escape[1:]
            is_octal = len(digits) == 3 and set(digits) <= set("01234567") and int(digits, 8) < 256
            return chr(int(digits, 8)) if is_octal else "\\" + digits
        return _SIMPLE.get(escape, "\\" + escape)

    return _ESCAPE.sub(replace, value)


def _expand(value: str, variables: Mapping[str, str]) -> str:
    return substitute(value, variables, where=".env", warn=lambda _: None)
