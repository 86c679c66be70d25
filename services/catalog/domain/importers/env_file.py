"""Env files, read as Compose 2.40 reads them: not quite as a shell does; `tests/contract/compose` compares the two."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from services.catalog.domain.renderer.interpolation import Variable, interpolate_text, rewrite_variables

_BLANKS = "\t\v\f\r \x85\xa0"  # within a line
# Escapes that Compose's parser replaces in double quotes; all others stay as they are written.
_ESCAPE = re.compile(r'\\(?:[abcfnrtv$"\\]|0\d{0,3})')
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", '"': '"', "\\": "\\"}


class EnvFileError(ValueError):
    """Compose would not read the file; the message names the line."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """A line of an env file: `text` is None for a name alone; `is_template`: variables in it are replaced."""

    name: str
    text: str | None
    is_template: bool

    @property
    def template(self) -> str:
        """The value as a text of a definition, in which a plain dollar is written `$$`."""
        return (self.text or "") if self.is_template else (self.text or "").replace("$", "$$")


def parse_env_file(text: str) -> list[Assignment]:
    """Return the assignments of an env file in order.

    Raises:
        EnvFileError: a name is none, or a quote is not closed.
    """
    found: list[Assignment] = []
    rest = text
    while rest := _skip_comments(rest):
        line = text.count("\n") - rest.count("\n") + 1
        name, is_alone, rest = _read_name(rest, line)
        if is_alone:
            found += [Assignment(name, None, is_template=False)] if name else []
            continue
        value, is_template, rest = _read_value(rest, line)
        found.append(Assignment(name, value, is_template))
    return found


def evaluate_env_file(text: str, variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the values of an env file; those outside of it come first where both have a name.

    Raises:
        EnvFileError, InterpolationError: Compose would not read it.
    """
    outer, found = variables or {}, dict[str, str]()
    for one in parse_env_file(text):
        if one.text is None:
            found |= {one.name: outer[one.name]} if one.name in outer else {}
        else:
            found[one.name] = interpolate_text(one.template, {**found, **outer})
    return found


def read_templates(text: str) -> dict[str, str | None]:
    """Return the values of an env file as texts of a definition: what it does not set itself stays a variable.

    Raises:
        EnvFileError: Compose would not read it.
    """
    found: dict[str, str | None] = {}

    def put_in(variable: Variable) -> str:
        known = found.get(variable.name)
        if known is None or variable.operator in {":+", "+"} or (not known and variable.operator == ":-"):
            return variable.text
        return known

    for one in parse_env_file(text):
        found[one.name] = None if one.text is None else rewrite_variables(one.template, put_in)
    return found


def _skip_comments(text: str) -> str:
    text = text.lstrip()
    while text.startswith("#"):
        text = text.partition("\n")[2].lstrip()
    return text


def _read_name(text: str, line: int) -> tuple[str, bool, str]:
    """Return a name, whether it stands alone, and what follows."""
    text = re.sub(r"^export\s+", "", text)
    for position, character in enumerate(text):
        if character in "=:\n":
            name = text[:position].rstrip()
            if " " in name:
                raise EnvFileError(f"line {line}: the name {name[:80]!r} contains a blank")
            return name, character == "\n", text[position + 1 :].lstrip(_BLANKS)
        if not (character in _BLANKS or character in "_.-[]" or character.isalpha() or character.isnumeric()):
            raise EnvFileError(f"line {line}: a name contains {character!r}")
    return "", True, ""  # Compose takes a name alone at the very end for nothing


def _read_value(text: str, line: int) -> tuple[str, bool, str]:
    """Return a value, whether variables in it are replaced, and what follows."""
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
    raise EnvFileError(f"line {line}: a quote is not closed")


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
