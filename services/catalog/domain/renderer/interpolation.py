"""The variables of compose definitions: `$NAME`, `${NAME}` and its forms with `:-`, `-`, `:?`, `?`, `:+`, `+`.

Read as Compose reads them, oddities included: `tests/contract/compose` compares the two. `$$` stands for a dollar. A
value put in stays inside its scalar: the tree is changed, never its text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from services.catalog.domain.item_files.document import Value

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATORS = (":-", ":?", ":+", "-", "?", "+")
# A brace reaches to the last closing one of the line; where it really ends is counted. A dollar before anything else
# stands for itself.
_VARIABLE = re.compile(
    rf"\$(?:(?P<escaped>\$)|(?P<named>{_NAME.pattern})|\{{(?:(?P<braced>{_NAME.pattern}(?::?[-+?].*)?)\}}|(?P<invalid>)))"
)
_MAX_DEPTH = 8  # defaults within defaults, each evaluated by a call within a call
_MAX_LENGTH = 65_536  # characters; defaults that repeat each other would grow without limit


class InterpolationError(ValueError):
    """A variable is written wrongly, is required and missing, or grows too long."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable as it is written: `operator` and `alternative` are empty for `$NAME` and `${NAME}`."""

    text: str
    name: str
    operator: str = ""
    alternative: str = ""


def split_variables(text: str) -> Iterator[str | Variable]:
    """Yield the parts of a text in order: variables, and the texts between them with `$$` as it is written.

    Never raises: what is no variable is text.
    """
    position = 0
    while (match := _VARIABLE.search(text, position)) is not None:
        yield text[position : match.start()]
        whole = match.group()
        if match["braced"] and (end := _find_brace(whole)):
            whole = whole[:end]
        inner = _VARIABLE.fullmatch(whole)
        position = match.start() + len(whole)
        if inner is None or not (inner["named"] or inner["braced"]):
            yield whole
            if whole == "${" and "}" not in (line := text[position:].partition("\n")[0]):
                yield line  # no brace of it is closed: looking for that at each would take the square of its length
                position += len(line)
        elif inner["named"]:
            yield Variable(whole, inner["named"])
        else:
            yield Variable(whole, *_split(inner["braced"]))
    yield text[position:]


def rewrite_variables(text: str, change: Callable[[Variable], str]) -> str:
    """Return a text with each variable as `change` writes it."""
    if "$" not in text:
        return text
    return "".join(part if isinstance(part, str) else change(part) for part in split_variables(text))


def escape_stray_dollars(text: str) -> str:
    """Return a text with `$$` for each dollar that begins nothing, as Compose writes it itself."""
    if "$" not in text:
        return text
    return "".join(map(_escape_part, split_variables(text)))


def _escape_part(part: str | Variable) -> str:
    if isinstance(part, Variable):
        return part.text
    return part if part == "$$" or part.startswith("${") else part.replace("$", "$$")


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


def list_texts(tree: Value) -> list[str]:
    """Return every text value of a plain tree."""
    found: list[str] = []

    def add(text: str) -> str:
        found.append(text)
        return text

    map_texts(tree, add)
    return found


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


def has_stray_dollar(text: str) -> bool:
    """Return whether a dollar begins nothing: Compose leaves it, and its author may have meant a variable."""
    return "$" in _VARIABLE.sub("", text)


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
        return "".join(
            self._read_text(part, text) if isinstance(part, str) else self._evaluate(part, depth, dry=dry)
            for part in split_variables(text)
        )

    def _read_text(self, part: str, text: str) -> str:
        if part.startswith("${"):
            raise InterpolationError(
                f"{_quote(text)} contains something that is not a variable: write $$ for a dollar"
            )
        return "$" if part == "$$" else part

    def _evaluate(self, variable: Variable, depth: int, *, dry: bool) -> str:
        name, operator, other = variable.name, variable.operator, variable.alternative
        self.seen.add(name)
        value = self._values.get(name)
        if dry:
            if operator.endswith("?"):
                self.required.add(name)
            self.replace(other, depth=depth + 1, dry=True)
            return ""
        is_set = bool(value) if operator.startswith(":") else value is not None
        other = self.replace(
            other, depth=depth + 1
        )  # also where it is not taken: Compose refuses what is wrong in it
        if operator.endswith("?") and not is_set:
            raise InterpolationError(f"{name} is required: {other or 'it has no value'}")
        if operator.endswith("+"):
            return other if is_set else ""
        return other if operator.endswith("-") and not is_set else value or ""


def _split(expression: str) -> tuple[str, str, str]:
    """Return name, operator and the rest of what stands in braces."""
    match = _NAME.match(expression)
    name, rest = (match.group() if match else ""), expression[match.end() if match else 0 :]
    operator = next((operator for operator in _OPERATORS if rest.startswith(operator)), "")
    return name, operator, rest[len(operator) :]


def _find_brace(text: str) -> int | None:
    """Return where the first brace of `text` is closed, None where it is not.

    Compose counts every brace, but takes the character behind an opening one for a part of a name.
    """
    depth = position = 0
    while position < len(text):
        if text[position] == "}":
            depth -= 1
            if depth == 0:
                return position + 1
        if text[position] == "{":
            depth += 1
            position += 1
        position += 1
    return None


def _quote(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")
