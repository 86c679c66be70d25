"""Dokploy's blueprints: a folder per app with docker-compose.yml, template.toml (values, page, files) and meta.json."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from services.catalog.domain.importers.draft import (
    Draft,
    Entry,
    RefusedEntryError,
    make_id,
    take_list,
    take_mapping,
    take_port,
    take_text,
)
from services.catalog.domain.importers.formats.folders import DEFINITIONS, Folder, list_folders
from services.catalog.domain.importers.variables import add_default, make_variable
from services.catalog.domain.item_files.document import parse_document
from services.catalog.domain.renderer.interpolation import map_texts

_TEMPLATE = "template.toml"
# `${password:32}`: a helper of Dokploy with its argument, or a variable of the template.
_HELPER = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_-]*)(?::([^{}]*))?\}")
_DOMAIN = "\ue000"  # the app's own host name, until its scheme is known
_FILES = "../files/"
# Characters of a generated value where none are named, and at most; depth of variables within variables.
_LENGTH, _LONGEST, _MAX_DEPTH = 32, 128, 8
_FIXED = {
    "domain": _DOMAIN, "email": "admin@example.com", "username": "admin", "timezone": "${TZ}",
    "randomPort": "${PROXIMITY_PUBLIC_PORT}", "timestamp": "1767225600", "timestampms": "1767225600000",
    "timestamps": "1767225600",
}  # fmt: skip
# Helpers that generate secrets, with the form of ours that fits the same places.
_ALPHABETS = {"password": "alphanumeric", "base64": "base64", "hash": "hex", "uuid": "hex", "jwt": "hex"}
_NO_MOUNTS = re.compile(r"^[ \t]*mounts[ \t]*=[ \t]*\[[ \t]*\][ \t]*(?:#.*)?$", re.MULTILINE)
_UNKNOWN_ESCAPE = re.compile(r"\\(?:(\\)|(?![btnfr\"uU\s]))")


def list_entries(files: Mapping[str, bytes]) -> Iterator[Entry]:
    """Yield every folder with a template.toml."""
    for folder in list_folders(files, _TEMPLATE):
        yield folder.path or folder.name, partial(_read_app, folder)


def _read_app(folder: Folder) -> Draft:
    found = folder.find_first(*DEFINITIONS)
    if found is None:
        raise RefusedEntryError("has no compose definition")
    path, content = found
    try:
        template = _read_template(folder.files[_TEMPLATE].decode("utf-8-sig"))
        about = take_mapping(json.loads(folder.files.get("meta.json", b"{}")))
    except (ValueError, RecursionError) as error:
        raise RefusedEntryError(f"its {_TEMPLATE} or meta.json cannot be read: {str(error)[:200]}") from None
    values = _Values(take_mapping(template.get("variables")))
    config = take_mapping(template.get("config"))
    environment = _read_environment(config.get("env"), values)
    texts = {
        f"files/{str(mount['filePath']).strip('/')}": values.write(str(mount.get("content", "")))
        for mount in map(take_mapping, take_list(config.get("mounts")))
        if mount.get("filePath")
    }
    domain = take_mapping(next(iter(take_list(config.get("domains"))), None))
    links = take_mapping(about.get("links"))
    tags = [take_text(tag, 40) for tag in take_list(about.get("tags"))]
    names = "".join(f"{name}=\n" for name in environment)
    return Draft(
        file=path,
        id=make_id(take_text(about.get("id"), 60) or folder.name),
        compose=map_texts(parse_document(content, path).value, _move_files),
        name=take_text(about.get("name"), 80) or folder.name,
        version=take_text(about.get("version"), 60),
        description=take_text(about.get("description")),
        category=" ".join(tags),
        icon=folder.find_picture(take_text(about.get("logo"), 200)),
        tags=tags,
        website=take_text(links.get("website"), 500),
        documentation=take_text(links.get("docs"), 500),
        source_code=take_text(links.get("github"), 500),
        known={name: text for name, text in environment.items() if "$" in text},
        inputs=[*values.inputs, *_list_plain_inputs(environment, values)],
        files={
            **folder.files,
            ".env": names.encode(),
            **{path: text.encode() for path, text in texts.items()},
        },
        texts=texts,
        main_service=take_text(domain.get("serviceName"), 63),
        main_port=take_port(domain.get("port")),
        probe_path=take_text(domain.get("path"), 300) or "/",
    )


def _read_template(text: str) -> dict[str, Any]:
    """Read a template; Dokploy's parser takes `mounts = []` before `[[config.mounts]]`, and unknown escapes as they are.

    Raises:
        ValueError: it is no TOML in that dialect either.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        if "[[config.mounts]]" in text:
            text = _NO_MOUNTS.sub("", text)
        return tomllib.loads(_UNKNOWN_ESCAPE.sub(lambda found: found[0] if found[1] else r"\\", text))


def _move_files(text: str) -> str:
    """Replace Dokploy's path of an app's files by a folder beside the definition."""
    return f"./files/{text.removeprefix(_FILES)}" if text.startswith(_FILES) else text


def _read_environment(entries: Any, values: _Values) -> dict[str, str]:
    """Return the variables of the definition as texts of a definition."""
    if isinstance(entries, dict):
        pairs = {str(name): _render(value) for name, value in entries.items()}
    else:
        texts = [str(entry).partition("=") for entry in take_list(entries)]
        pairs = {name.strip(): value.strip() for name, equals, value in texts if equals and name.strip()}
    return {
        name: values.write(_unquote(value)) for name, value in pairs.items() if name == make_variable(name)
    }


def _unquote(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value


def _render(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _list_plain_inputs(environment: Mapping[str, str], values: _Values) -> Iterator[dict[str, Any]]:
    made = {record["name"] for record in values.inputs}
    for name, text in environment.items():
        if "$" not in text and name not in made:
            record = {"name": name, "label": name.replace("_", " ").capitalize(), "type": "text"}
            yield add_default(record, text)


@dataclass(slots=True)
class _Values:
    """Values of a template by name; each one that Dokploy generates becomes one input."""

    variables: Mapping[str, Any]
    inputs: list[dict[str, Any]] = field(default_factory=list)

    def write(self, text: str) -> str:
        """Return a text of a template as one of a definition."""
        written = self._write(text, name="GENERATED", depth=0)
        addressed = re.sub(
            rf"(http|ws)s?://{_DOMAIN}(?::[0-9]+)?",
            r"\1://${PROXIMITY_HOSTNAME}:${PROXIMITY_PUBLIC_PORT}",
            written,
        )
        return addressed.replace(_DOMAIN, "${PROXIMITY_HOSTNAME}")

    def _write(self, text: str, *, name: str, depth: int) -> str:
        if depth > _MAX_DEPTH:
            raise RefusedEntryError(f"its variable {name} names itself")
        parts, position = [], 0
        for match in _HELPER.finditer(text):
            parts += [
                text[position : match.start()].replace("$", "$$"),
                self._resolve(match, name, depth=depth),
            ]
            position = match.end()
        return "".join([*parts, text[position:].replace("$", "$$")])

    def _resolve(self, match: re.Match[str], name: str, *, depth: int) -> str:
        key, argument = match[1], match[2]
        if key in self.variables and argument is None and key != name:
            return self._write(_render(self.variables[key]), name=key, depth=depth + 1)
        if key in _FIXED:
            return _FIXED[key]
        if key == "jwt" and ":" in (argument or ""):
            raise RefusedEntryError("needs a token with a content that Dokploy signs")
        if key in _ALPHABETS:
            return self._make(name, key, argument=argument or "")
        if argument and argument.startswith("-"):
            return argument[1:].replace("$", "$$")  # `${NAME:-default}` of a variable that nothing sets
        return match[0].replace(f"${{{key}", f"$${{{key}")

    def _make(self, name: str, kind: str, *, argument: str) -> str:
        wanted = make_variable(name).upper()
        size = int(argument) if argument.isascii() and argument.isdigit() and len(argument) < 4 else _LENGTH
        # `${jwt:N}` is N random bytes, `${jwt}` and `${jwt:secret}` a token that only serves as a secret.
        if kind == "jwt":
            size *= 2
        rule: dict[str, Any] = {"length": min(max(size, 8), _LONGEST)}
        if _ALPHABETS[kind] != "alphanumeric":
            rule["alphabet"] = _ALPHABETS[kind]
        if all(record["name"] != wanted for record in self.inputs):
            label = wanted.replace("_", " ").capitalize()
            self.inputs.append({"name": wanted, "label": label, "type": "password", "generate": rule})
        return f"${{{wanted}}}"
