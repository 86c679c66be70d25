"""The variables of compose definitions: `$NAME`, `${NAME}` and its forms with `:-`, `-`, `:?`, `?`, `:+`, `+`.

`$$` stands for a dollar. A value put in stays inside its scalar: the tree is
changed, never its text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from services.catalog.domain.document import Value

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATORS = (":-", ":?", ":+", "-", "?", "+")
_MAX_DEPTH = 8
_MAX_LENGTH = 65_536


class InterpolationError(ValueError):
    """A variable is written wrongly, is required and missing, or grows too long."""


def interpolate_text(text: str, values: Mapping[str, str]) -> str:
    """Return `text` with its variables replaced; a variable without a value becomes empty.

    Raises:
        InterpolationError: malformed, missing though required, or too long a result.
    """
    if "$" not in text:
        return text
    result = _Scanner(values).replace(text, depth=0)
    if len(result) > _MAX_LENGTH:
        raise InterpolationError(f"the value would be {len(result)} characters long")
    return result


def interpolate_tree(tree: Value, values: Mapping[str, str]) -> Value:
    """Return a copy of a plain tree with the variables in its values (never its keys) replaced."""
    return map_texts(tree, lambda text: interpolate_text(text, values))


def map_texts(tree: Value, change: Callable[[str], str]) -> Value:
    """Return a copy of a plain tree with every text value changed, keys left alone."""
    if isinstance(tree, str):
        return change(tree)
    if isinstance(tree, dict):
        return {key: map_texts(value, change) for key, value in tree.items()}
    if isinstance(tree, list):
        return [map_texts(value, change) for value in tree]
    return tree


def list_variables(tree: Value) -> set[str]:
    """Return the names of all variables in the values of a plain tree.

    Raises:
        InterpolationError: a variable is written wrongly.
    """
    return _scan(tree).seen


def list_required_variables(tree: Value) -> set[str]:
    """Return the names of the variables that a plain tree insists on having a value (`?` and `:?`).

    Raises:
        InterpolationError: a variable is written wrongly.
    """
    return _scan(tree).required


def _scan(tree: Value) -> _Scanner:
    scanner = _Scanner({})

    def scan(text: str) -> str:
        if "$" in text:
            scanner.replace(text, depth=0, dry=True)
        return text

    map_texts(tree, scan)
    return scanner


class _Scanner:
    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self.seen: set[str] = set()
        self.required: set[str] = set()

    def replace(self, text: str, *, depth: int, dry: bool = False) -> str:
        if depth > _MAX_DEPTH:
            raise InterpolationError(f"variables nested deeper than {_MAX_DEPTH}")
        parts: list[str] = []
        position = 0
        while (dollar := text.find("$", position)) >= 0:
            parts.append(text[position:dollar])
            value, position = self._read_variable(text, dollar + 1, depth, dry)
            parts.append(value)
        parts.append(text[position:])
        return "".join(parts)

    def _read_variable(self, text: str, start: int, depth: int, dry: bool) -> tuple[str, int]:
        if text.startswith("$", start):
            return "$", start + 1
        if text.startswith("{", start):
            end = _find_brace(text, start)
            return self._evaluate(text[start + 1 : end], depth, dry), end + 1
        name = _NAME.match(text, start)
        if name is None:
            raise InterpolationError(f"a single $ in {_quote(text)}: write $$ for a dollar")
        self.seen.add(name.group())
        return self._values.get(name.group(), ""), name.end()

    def _evaluate(self, expression: str, depth: int, dry: bool) -> str:
        match = _NAME.match(expression)
        if match is None:
            raise InterpolationError(f"{_quote(expression)} is not a variable")
        name, rest = match.group(), expression[match.end() :]
        self.seen.add(name)
        operator = next((operator for operator in _OPERATORS if rest.startswith(operator)), None)
        if rest and operator is None:
            raise InterpolationError(f"{_quote(expression)} is not a variable")
        value = self._values.get(name)
        if operator is None:
            return value or ""
        other = rest[len(operator) :]
        if dry:
            if operator.endswith("?"):
                self.required.add(name)
            self.replace(other, depth=depth + 1, dry=True)
            return ""
        is_set = bool(value) if operator.startswith(":") else value is not None
        if operator.endswith("?"):
            if not is_set:
                raise InterpolationError(f"{name} is required: {other or 'it has no value'}")
            return value or ""
        if operator.endswith("+"):
            return self.replace(other, depth=depth + 1) if is_set else ""
        return (value or "") if is_set else self.replace(other, depth=depth + 1)


def _find_brace(text: str, start: int) -> int:
    """Return where the brace opened at `start` closes, counting the variables in between."""
    depth = 0
    position = start
    while position < len(text):
        if text.startswith("${", position):
            depth += 1
            position += 1
        elif text[position] == "{" and position == start:
            depth += 1
        elif text[position] == "}":
            depth -= 1
            if depth == 0:
                return position
        position += 1
    raise InterpolationError(f"the brace in {_quote(text)} is never closed")


def _quote(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")
