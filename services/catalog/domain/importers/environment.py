"""The environment of an imported service: its own variables, and those of the env files that it names."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any

from services.catalog.domain.importers.attachments import read_file
from services.catalog.domain.importers.draft import Draft, RefusedEntryError, take_list
from services.catalog.domain.importers.env_file import EnvFileError, read_templates
from services.catalog.domain.importers.variables import substitute_variables
from services.catalog.domain.renderer.compose import read_pairs

DEFAULT_FILES = (".env", "stack.env")
"""Files in which Compose and Portainer expect the values of a definition's variables; the first that exists counts."""


def read_environment(draft: Draft, service: Mapping[str, Any]) -> dict[str, Any]:
    """Return the environment of a service, that of its `env_file` included.

    A variable that is passed through by its name stays None, unless the collection gives its value.

    Raises:
        RefusedEntryError: such a file is not part of the collection, or is none that Compose reads.
    """
    files: dict[str, Any] = {}
    for entry in take_list(service.get("env_file")):
        record = entry if isinstance(entry, dict) else {"path": entry}
        path = posixpath.normpath(str(record.get("path", "")))
        if path in draft.files or record.get("required") is not False:
            files |= _read_env_file(draft, path)
    declared = {record["name"] for record in draft.inputs}
    pairs = read_pairs(service.get("environment"))
    environment = {
        name: files[name] if value is None and name in files and name not in declared else value
        for name, value in {**files, **pairs}.items()
    }
    return {name: draft.known.get(name) if value is None else value for name, value in environment.items()}


def _read_env_file(draft: Draft, path: str) -> dict[str, Any]:
    text = read_file(draft, path)
    try:
        templates = read_templates(text)
    except EnvFileError as error:
        raise RefusedEntryError(f"its file {path} is not read by Compose: {error}") from None
    if path in DEFAULT_FILES:  # the values themselves are the defaults of inputs
        return {name: draft.known.get(name, f"${{{name}}}") for name in templates}
    return dict(substitute_variables(templates, draft.known))
