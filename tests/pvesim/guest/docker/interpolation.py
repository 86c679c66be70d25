"""`${VAR}` in compose files, and `.env` files."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from tests.pvesim.guest.docker.state import DockerError

VARIABLE = re.compile(
    r"\$(?:(?P<escaped>\$)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)"
    r"(?:(?P<op>:?[-?+])(?P<argument>(?:[^{}]|\$\{[^{}]*\})*))?\}|(?P<bad>.?))",
)
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
    return _replace(value, variables, where=where, warn=warn) if isinstance(value, str) else value


def _replace(text: str, variables: Mapping[str, str], *, where: str, warn: Warn) -> str:
    def fill(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "$"
        name = match["name"] or match["braced"]
        if not name:
            raise DockerError(
                f"invalid interpolation format for {where}.\nYou may need to escape any $ with another $.\n{text}",
            )
        return _resolve(match, name, variables, where=where, warn=warn)

    return VARIABLE.sub(fill, text)


def _resolve(match: re.Match[str], name: str, variables: Mapping[str, str], *, where: str, warn: Warn) -> str:
    operator, argument = match["op"] or "", match["argument"] or ""
    value = variables.get(name)
    missing = value is None or (operator.startswith(":") and value == "")
    if operator.endswith("+"):
        return "" if missing else _replace(argument, variables, where=where, warn=warn)
    if not missing:
        return value or ""
    if operator.endswith("-"):
        return _replace(argument, variables, where=where, warn=warn)
    if operator.endswith("?"):
        text = f"required variable {name} is missing a value"
        raise DockerError(
            f"error while interpolating {where}: {text}: {argument}"
            if argument
            else f"error while interpolating {where}: {text}"
        )
    warn(f'The \\"{name}\\" variable is not set. Defaulting to a blank string.')
    return ""


def parse_env_file(text: str, *, variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """Read `NAME=value` lines: comments, quotes and `export` as compose knows them.

    Raises:
        DockerError: a line's name is none.
    """
    found: dict[str, str] = {}
    for raw in _join_quoted(text):
        line = raw.strip().removeprefix("export ").strip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", name.strip()):
            raise DockerError(
                f'failed to read .env: line 1: unexpected character "{name.strip()[:1]}" in variable name "{line}"'
            )
        if equals:
            found[name.strip()] = _read_value(value.strip(), {**(variables or {}), **found})
    return found


def _join_quoted(text: str) -> list[str]:
    lines: list[str] = []
    opened = ""
    for line in text.splitlines():
        if opened:
            lines[-1] += "\n" + line
            opened = "" if line.rstrip().endswith(opened) else opened
            continue
        lines.append(line)
        match = re.match(r"[^=#]+=\s*(['\"])", line)
        if match and not re.search(rf"(?<!\\){match[1]}\s*(#.*)?$", line[match.end() :]):
            opened = match[1]
    return lines


def _read_value(value: str, variables: Mapping[str, str]) -> str:
    if value[:1] == "'" and "'" in value[1:]:
        return value[1 : value.rindex("'")]
    if value[:1] == '"' and '"' in value[1:]:
        inner = value[1 : value.rindex('"')]
        inner = re.sub(
            r'\\([\\"nrt$])', lambda m: {"n": "\n", "r": "\r", "t": "\t", "$": "$$"}.get(m[1], m[1]), inner
        )
        return _replace(inner, variables, where=".env", warn=lambda _: None)
    plain = re.split(r"\s+#", value, maxsplit=1)[0]
    return _replace(plain, variables, where=".env", warn=lambda _: None)
