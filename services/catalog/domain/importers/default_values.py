"""Values of the `.env` file beside a definition: the defaults of its inputs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from services.catalog.domain.importers.draft import RefusedEntryError
from services.catalog.domain.importers.env_file import EnvFileError, evaluate_env_file, parse_env_file
from services.catalog.domain.importers.environment import DEFAULT_FILES
from services.catalog.domain.importers.secrets.secret_usage import is_hard_coded
from services.catalog.domain.importers.variables import add_default, make_variable
from services.catalog.domain.renderer.interpolation import (
    InterpolationError,
    list_variables,
    rewrite_variables,
)

_MAX_DEFAULTS = 200  # of a file, as many as an item may have inputs


@dataclass(frozen=True, slots=True)
class DefaultValues:
    """Values of an env file.

    Attributes:
        inputs: the values as inputs with defaults.
        known: texts that are composed of the secrets among them, by name.
        replaced: the secrets that are generated instead, as the file has them.
    """

    inputs: list[dict[str, Any]] = field(default_factory=list)
    known: dict[str, str] = field(default_factory=dict)
    replaced: dict[str, str] = field(default_factory=dict)


def read_default_values(files: Mapping[str, bytes]) -> DefaultValues:
    """Return the values of the env file beside a definition; secrets among them are generated, not copied.

    Raises:
        RefusedEntryError: Compose would not read the file.
    """
    path = next((path for path in DEFAULT_FILES if files.get(path)), "")
    try:
        return parse_default_values(files.get(path, b"").decode("utf-8-sig", errors="replace"))
    except (EnvFileError, InterpolationError) as error:
        raise RefusedEntryError(f"its file {path} is not read by Compose: {error}") from None


def parse_default_values(text: str) -> DefaultValues:
    """Return the values of a file's text; see `read_default_values`.

    Raises:
        EnvFileError, InterpolationError: Compose would not read it.
    """
    values = evaluate_env_file(text)
    templates = {one.name: one.template for one in parse_env_file(text) if one.text is not None}
    secrets = {name: value for name, value in values.items() if is_hard_coded(name, value)}
    made = DefaultValues()
    for name, value in list(values.items())[:_MAX_DEFAULTS]:
        if name != make_variable(name):
            continue
        used = list_variables(templates.get(name, ""))
        if used & (secrets.keys() | made.known.keys()):
            made.known[name] = _join(templates[name], values, variables=secrets.keys(), known=made.known)
        elif (text := _hide_secrets(value, secrets)) != value.replace("$", "$$"):
            made.known[name] = text
        else:
            record = {"name": name, "label": name.replace("_", " ").capitalize(), "type": "text"}
            made.inputs.append(add_default(record, value))
            if name in secrets and "generate" in made.inputs[-1]:
                made.replaced[name] = value
    return made


def _join(template: str, values: Mapping[str, str], *, variables: Any, known: Mapping[str, str]) -> str:
    """Return a value as a text in which the secrets stay variables."""

    def write(variable: Any) -> str:
        if variable.name in known:
            return known[variable.name]
        return (
            f"${{{variable.name}}}"
            if variable.name in variables
            else values.get(variable.name, "").replace("$", "$$")
        )

    return rewrite_variables(template, write)


def _hide_secrets(value: str, secrets: Mapping[str, str]) -> str:
    """Return a connection string as a text in which the secrets of the same file are variables."""
    text = value.replace("$", "$$")
    if "://" not in text and ";" not in text:
        return text
    for name, secret in secrets.items():
        if secret != value:
            pattern = rf"(:|(?i:pass(?:word)?|pwd|p)=){re.escape(secret.replace('$', '$$'))}(?=[@&;]|$)"
            text = re.sub(pattern, rf"\g<1>${{{name}}}", text)
    return text
