"""Checks of a document against a JSON Schema; each fault has its line and a sentence for the author."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path as FilePath

import jsonschema_rs

from services.catalog.domain.faults import Fault
from services.catalog.domain.item_files.document import Document, Path, Value

_FOLDER = FilePath(__file__).resolve().parents[2]
_MAX_FAULTS = 50  # of a document; more are consequences of the first ones


@cache
def load_validator(name: str) -> jsonschema_rs.Validator:
    """Return the validator of one of the schemas published beside this package."""
    schema = json.loads((_FOLDER / name).read_text(encoding="utf-8"))
    return jsonschema_rs.validator_for(schema)


def check_schema(document: Document, value: Value, *, schema: str, at: Path = ()) -> list[Fault]:
    """Return the faults of `value`, which is at path `at` of the document."""
    faults = []
    for error in load_validator(schema).iter_errors(value):
        path = (*at, *error.instance_path)
        where = ".".join(str(part) for part in path) or "the file"
        line = document.line_of((*path, *_list_unexpected(error)[:1]))
        faults.append(Fault(document.file, line, f"{where}: {_shorten(error.message)}"))
        if len(faults) == _MAX_FAULTS:
            break
    return faults


def _list_unexpected(error: jsonschema_rs.ValidationError) -> list[str]:
    if isinstance(error.kind, jsonschema_rs.ValidationErrorKind.AdditionalProperties):
        return list(error.kind.unexpected)
    return []


def _shorten(message: str) -> str:
    return message if len(message) <= 300 else f"{message[:140]} … {message[-140:]}"


@cache
def load_pattern(pattern: str) -> jsonschema_rs.Validator:
    """Compile a regular expression for whole values, in an engine that takes linear time.

    Patterns come from catalog files, values from users: a backtracking engine
    would let the two together stop the service.

    Raises:
        ValueError: not a regular expression of that engine (look-around, back references).
    """
    schema = {"type": "string", "pattern": f"^(?:{pattern})$"}
    return jsonschema_rs.Draft202012Validator(schema, pattern_options=jsonschema_rs.RegexOptions())


def matches_pattern(pattern: str, text: str) -> bool:
    """Return whether the whole of `text` matches."""
    return load_pattern(pattern).is_valid(text)
