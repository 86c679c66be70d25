"""Relative paths of an included definition, which are relative to its own folder."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.catalog.domain.importers.draft import take_list, take_mapping
from services.catalog.domain.renderer.compose import split_mount


def rebase_paths(tree: Mapping[str, Any], folder: str) -> dict[str, Any]:
    """Return the definition of a folder as it reads from the folder above."""
    if not folder:
        return dict(tree)
    base = _Base(folder)
    moved = {
        **tree,
        "services": {k: base.move_service(s) for k, s in take_mapping(tree.get("services")).items()},
    }
    for key in {"configs", "secrets"} & tree.keys():
        moved[key] = {name: base.move_key(record, "file") for name, record in take_mapping(tree[key]).items()}
    if "include" in tree:
        moved["include"] = [base.move_include(entry) for entry in take_list(tree["include"])]
    return moved


@dataclass(frozen=True, slots=True)
class _Base:
    folder: str

    def move(self, path: Any) -> Any:
        text = str(path)
        # What a variable stands for is known when the app is rendered; the checks of mounts see it then.
        if text.startswith(("/", "~", "$")):
            return path
        return f"./{posixpath.normpath(posixpath.join(self.folder, text))}"

    def move_key(self, record: Any, key: str) -> Any:
        return (
            {**record, key: self.move(record[key])} if isinstance(record, dict) and key in record else record
        )

    def move_include(self, entry: Any) -> Any:
        if isinstance(entry, dict):
            return {**entry, "path": [self.move(path) for path in take_list(entry.get("path"))]}
        return self.move(entry)

    def move_service(self, service: Any) -> Any:
        if not isinstance(service, dict):
            return service
        moved = dict(service)
        if "env_file" in service:
            moved["env_file"] = [
                self.move_key(entry, "path") if isinstance(entry, dict) else self.move(entry)
                for entry in take_list(service["env_file"])
            ]
        if isinstance(service.get("volumes"), list):
            moved["volumes"] = [self._move_mount(entry) for entry in service["volumes"]]
        if isinstance(service.get("extends"), dict):
            moved["extends"] = self.move_key(service["extends"], "file")
        return moved

    def _move_mount(self, entry: Any) -> Any:
        if isinstance(entry, dict):
            return self.move_key(entry, "source") if entry.get("type") == "bind" else entry
        # `data:/data` names a volume and no folder: only a source with a dot is a path.
        source, *rest = split_mount(str(entry))
        return ":".join([self.move(source), *rest]) if rest and source.startswith(".") else entry
