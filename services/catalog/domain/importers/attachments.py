"""Files beside a definition: they become `configs` of it, so that it runs without its collection."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from services.catalog.domain.importers.draft import Draft, RefusedEntryError, make_id, take_list, take_mapping
from services.catalog.domain.importers.variables import make_variable, substitute_variables
from services.catalog.domain.item_files.parser import BUILT_IN_VARIABLES

_MAX_CHARACTERS = 60_000  # characters of a file; a larger one is data, not configuration
# Characters of all files of a definition, which stays below the size limit of a document.
_MAX_TOTAL = 200_000
_MAX_FILES = 100  # of a definition; a folder with more is data, not configuration
_EXECUTABLE = 0o755  # mode of scripts (`#!`): configs are not executable by default
# Files that an app shows or offers, but starts without.
_PICTURES = frozenset(
    {".png", ".jpg", ".jpeg", ".gif", ".ico", ".webp", ".bmp", ".avif", ".woff", ".woff2", ".ttf", ".otf", ".eot", ".mp3",
     ".mp4", ".webm", ".pdf"}
)  # fmt: skip


class Attachments:
    """The `configs` of one definition: texts that Compose puts into its containers."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._size = 0
        self._count = 0
        self.configs: dict[str, dict[str, str]] = {}

    def fits(self, paths: Sequence[str]) -> bool:
        """Return whether files are texts, and few and short enough to become configs."""
        contents = [self._draft.files[path] for path in paths]
        is_small = (
            self._count + len(paths) <= _MAX_FILES // 2
            and self._size + sum(map(len, contents)) < _MAX_TOTAL // 2
        )
        return is_small and all(map(_is_short_text, contents))

    def leave_out_pictures(self, paths: Sequence[str]) -> list[str]:
        """Return the files without pictures, fonts and media, which an app works without; a note names them."""
        pictures = [
            path
            for path in paths
            if PurePosixPath(path).suffix.lower() in _PICTURES and _find_text(self._draft.files[path]) is None
        ]
        if pictures:
            shown = ", ".join(sorted(pictures)[:5])
            self._draft.note(f"Left out, because only texts are handed over: {shown[:300]}.")
        return [path for path in paths if path not in pictures]

    def attach_file(self, path: str, target: str) -> dict[str, Any]:
        """Return the `configs` entry by which a service gets a file of the collection.

        Raises:
            RefusedEntryError: it is no text of a size that belongs into a definition.
        """
        if path in self._draft.texts:
            return self.attach_text(self._draft.texts[path], target)
        if path not in self._draft.files and f"{path}.template" in self._draft.files:
            return self.attach_text(self._fill_template(read_file(self._draft, f"{path}.template")), target)
        return self.attach_text(read_file(self._draft, path).replace("$", "$$"), target)

    def _fill_template(self, text: str) -> str:
        """Replace known variables in a template and leave inputs as variables; other dollars stay dollars."""
        filled = substitute_variables(
            re.sub(r"\{\{\s*([A-Za-z_]\w*)\s*\}\}", r"${\1}", text), self._draft.known
        )
        names = [record["name"] for record in self._draft.inputs] + sorted(BUILT_IN_VARIABLES)
        return re.sub(rf"\$(?!\{{?(?:{'|'.join(names)})\b)", "$$", str(filled))

    def attach_text(self, text: str, target: str) -> dict[str, Any]:
        """Return the `configs` entry by which a service gets a text at a path; its variables are those of the definition."""
        self._size += len(text)
        self._count += 1
        if self._count > _MAX_FILES or self._size > _MAX_TOTAL:
            # Counted over the whole definition: each file alone may be within its limit.
            raise RefusedEntryError(
                f"needs more files of its collection than {_MAX_FILES} or {_MAX_TOTAL} characters"
            )
        content = text or "\n"  # Compose refuses a config without content
        name = self._name_config(content, target)
        self.configs[name] = {"content": content}
        reference: dict[str, Any] = {"source": name, "target": target}
        return {**reference, "mode": _EXECUTABLE} if text.startswith("#!") else reference

    def read_references(self, service: Mapping[str, Any], tree: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the entries of a service's `configs` and `secrets`, which may name files.

        A secret becomes a generated input: its file is not part of the collection.
        """
        found = []
        for entry in take_list(service.get("configs")):
            name, target = _read_reference(entry, "/")
            text = self._read_config(name, take_mapping(take_mapping(tree.get("configs")).get(name)))
            found.append(self.attach_text(text, target))
        for entry in take_list(service.get("secrets")):
            name, target = _read_reference(entry, "/run/secrets/")
            variable = make_variable(name).upper()
            if all(record["name"] != variable for record in self._draft.inputs):
                label = variable.replace("_", " ").strip().capitalize()
                secret = {"name": variable, "label": label, "type": "password", "generate": {"length": 32}}
                self._draft.inputs.append(secret)
            found.append(self.attach_text(f"${{{variable}}}", target))
        return found

    def _read_config(self, name: str, config: Mapping[str, Any]) -> str:
        if "content" in config:
            return str(config["content"])
        if "environment" in config:
            return f"${{{make_variable(str(config['environment']))}}}"
        if "file" not in config:
            raise RefusedEntryError(f"needs the config {name}, which its collection does not have")
        return read_file(self._draft, str(config["file"]).removeprefix("./")).replace("$", "$$")

    def _name_config(self, content: str, target: str) -> str:
        base = make_id(target.rstrip("/").rpartition("/")[2]) or "file"
        name, number = base, 2
        while self.configs.get(name, {"content": content})["content"] != content:
            name, number = f"{base}-{number}", number + 1
        return name


def read_file(draft: Draft, path: str) -> str:
    """Return the text of a file beside a definition.

    Raises:
        RefusedEntryError: it is missing, no text, or too long.
    """
    if path not in draft.files:
        raise RefusedEntryError(f"needs the file {path}, which is not part of its collection")
    text = _find_text(draft.files[path])
    if text is None:
        raise RefusedEntryError(f"needs the file {path} of its collection, which is no text")
    if len(text) > _MAX_CHARACTERS:
        raise RefusedEntryError(
            f"needs the file {path} of its collection, which is longer than {_MAX_CHARACTERS} characters"
        )
    return text


def _find_text(content: bytes) -> str | None:
    try:
        return None if b"\0" in content else content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


def _is_short_text(content: bytes) -> bool:
    text = _find_text(content)
    return text is not None and len(text) <= _MAX_CHARACTERS


def _read_reference(entry: object, folder: str) -> tuple[str, str]:
    record = entry if isinstance(entry, dict) else {"source": entry}
    name = str(record.get("source", ""))
    target = str(record.get("target") or name)
    return name, target if target.startswith("/") else folder + target
