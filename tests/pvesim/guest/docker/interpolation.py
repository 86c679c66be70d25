"""`${VAR}` in compose files, as Compose 2.40 reads it."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from tests.pvesim.guest.docker.state import DockerError

_NAME = "[A-Za-z_][A-Za-z0-9_]*"
_VARIABLE = re.compile(
    rf"\$(?:(?P<escaped>\$)|(?P<name>{_NAME})|\{{(?:(?P<braced>{_NAME}(?::?[-?+].*)?)\}}|(?P<bad>)))"
)
_BRACED = re.compile(rf"(?P<name>{_NAME})(?:(?P<operator>:?[-?+])(?P<argument>.*))?")
Warn = Callable[[str], None]


def interpolate(value: Any, variables: Mapping[str, str], *, where: str, warn: Warn) -> Any:
    """The value with every variable in its texts replaced; `where` names it in errors.

    Raises:
        DockerError: a required variable is missing, or the syntax is wrong.
    """
    if isinstance(value, dict):
        return {
            k: interpolate(v, variables, where=f"{where}.{k}" if where else str(k), warn=warn)
            for k, v in value.items()
        }
    if isinstance(value, list):
        return [interpolate(v, variables, where=f"{where}.[]", warn=warn) for v in value]
    return substitute(value, variables, where=where, warn=warn) if isinstance(value, str) else value


def substitute(text: str, variables: Mapping[str, str], *, where: str, warn: Warn) -> str:
    """A text with its variables replaced.

    Raises:
        DockerError: as `interpolate`.
    """

    def fill(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "$"
        if match["name"]:
            return _look_up(match["name"], variables, warn)
        # The pattern reaches to the line's last brace; where the variable ends is counted.
        whole, end = match.group(), _find_end(match.group())
        cut = _VARIABLE.match(whole[:end])
        if cut is None or not cut["braced"]:
            raise DockerError(
                f"invalid interpolation format for {where}.\nYou may need to escape any $ with another $.\n{text}",
            )
        value = _resolve(cut["braced"], variables, where=where, warn=warn)
        return value + substitute(whole[cut.end() :], variables, where=where, warn=warn)

    return _VARIABLE.sub(fill, text)


def _find_end(text: str) -> int | None:
    """Behind the brace that closes the first one; the character after an opening brace is not looked at."""
    opened, skip = 0, False
    for position, character in enumerate(text):
        if skip:
            skip = False
        elif character == "{":
            opened, skip = opened + 1, True
        elif character == "}":
            opened -= 1
            if opened == 0:
                return position + 1
    return None


def _look_up(name: str, variables: Mapping[str, str], warn: Warn) -> str:
    if name not in variables:
        warn(f'The \\"{name}\\" variable is not set. Defaulting to a blank string.')
    return variables.get(name, "")


def _resolve(expression: str, variables: Mapping[str, str], *, where: str, warn: Warn) -> str:
    match = _BRACED.fullmatch(expression)
    if match is None:
        raise DockerError(f"invalid interpolation format for {where}.\n{expression}")
    name, operator = match["name"], match["operator"] or ""
    if not operator:
        return _look_up(name, variables, warn)
    argument = substitute(match["argument"], variables, where=where, warn=warn)
    value = variables.get(name)
    missing = value is None or (operator.startswith(":") and value == "")
    if operator.endswith("+"):
        return "" if missing else argument
    if missing and operator.endswith("?"):
        text = f"error while interpolating {where}: required variable {name} is missing a value"
        raise DockerError(f"{text}: {argument}" if argument else text)
    return argument if missing else value or ""
