"""Definitions in several parts: `include`, `extends` and `profiles`, joined into one."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any

from services.catalog.domain.importers.attachments import read_file
from services.catalog.domain.importers.draft import Draft, RefusedEntryError, take_list, take_mapping
from services.catalog.domain.importers.relative_paths import rebase_paths
from services.catalog.domain.item_files.document import MAX_NODES, parse_document
from services.catalog.domain.renderer.compose import read_pairs, split_mount

# Settings that Compose merges by key when one service extends another; lists are appended.
_PAIRS = frozenset({"environment", "labels", "extra_hosts", "sysctls"})
_MAX_DEPTH = 8  # of files that include or extend others
_MAX_SERVICES = 60  # of a definition, which bounds the work for a hostile one


def join_parts(draft: Draft) -> dict[str, Any]:
    """Return the definition of a draft in one piece, without the services that only a profile starts.

    Raises:
        RefusedEntryError: a part is not in the collection, or a service extends itself.
    """
    parts = _Parts(draft)
    tree = parts.include(take_mapping(draft.compose))
    services = take_mapping(tree.get("services"))
    if len(services) > _MAX_SERVICES:
        raise RefusedEntryError(f"has {len(services)} services; {_MAX_SERVICES} are the most")
    joined: dict[str, Any] = {}
    count = 0
    for name in services:
        joined[name] = parts.extend(name, services, depth=0)
        count += _count_values(joined[name])
        if count > MAX_NODES:
            raise RefusedEntryError(f"has more than {MAX_NODES} values in all its parts")
    started = {name: s for name, s in joined.items() if not take_mapping(services[name]).get("profiles")}
    return {**tree, "services": _share_volumes(started or joined)}


def _share_volumes(services: Mapping[str, Any]) -> dict[str, Any]:
    """Return the services with the mounts of those that they name under `volumes_from`; other containers stay named."""
    return {name: _take_volumes(service, services, seen=(name,)) for name, service in services.items()}


def _take_volumes(service: Any, services: Mapping[str, Any], *, seen: tuple[str, ...]) -> Any:
    entries = [str(entry) for entry in take_list(take_mapping(service).get("volumes_from"))]
    if not entries or not isinstance(service, dict):
        return service
    mounts, left = list(take_list(service.get("volumes"))), []
    for entry in entries:
        name, _, mode = entry.partition(":")
        if name not in services or name in seen or len(seen) > _MAX_DEPTH:
            left.append(entry)
            continue
        shared = take_mapping(_take_volumes(services[name], services, seen=(*seen, name)))
        mounts += [_restrict(mount, mode) for mount in take_list(shared.get("volumes"))]
    result = {key: value for key, value in service.items() if key not in {"volumes", "volumes_from"}}
    return result | ({"volumes": mounts} if mounts else {}) | ({"volumes_from": left} if left else {})


def _restrict(mount: Any, mode: str) -> Any:
    """Return a mount that is only read where it is shared as `ro`."""
    if mode != "ro":
        return mount
    if isinstance(mount, dict):
        return {**mount, "read_only": True}
    parts = split_mount(str(mount))
    return f"{mount}:ro" if len(parts) == 2 else mount


class _Parts:
    """The files of one definition; each is read once, however often it is named."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._files: dict[str, Mapping[str, Any]] = {}

    def include(self, tree: Mapping[str, Any]) -> dict[str, Any]:
        result = {key: value for key, value in tree.items() if key != "include"}
        waiting = self._list_includes(tree)
        # The including file wins over included ones, as in Compose.
        while waiting:
            part = waiting.pop(0)
            for key in ("services", "volumes", "configs", "secrets"):
                if merged := {**take_mapping(part.get(key)), **take_mapping(result.get(key))}:
                    result[key] = merged
            waiting += self._list_includes(part)
        return result

    def extend(self, name: str, services: Mapping[str, Any], *, depth: int) -> Any:
        service = services.get(name)
        if not isinstance(service, dict) or "extends" not in service:
            return service
        if depth == _MAX_DEPTH:
            raise RefusedEntryError(f"the service {name} extends itself")
        entry = service["extends"]
        record = entry if isinstance(entry, dict) else {"service": entry}
        others = services
        if "file" in record:
            others = take_mapping(self._take_file(str(record["file"])).get("services"))
        base = self.extend(str(record.get("service", name)), others, depth=depth + 1)
        if not isinstance(base, dict):
            raise RefusedEntryError(f"the service {name} extends {record.get('service')!r}, which is none")
        return _merge(base, {key: value for key, value in service.items() if key != "extends"})

    def _list_includes(self, tree: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        entries = take_list(tree.get("include"))
        paths = [str(p) for e in entries for p in take_list(take_mapping(e).get("path") or e)]
        return [self._take_file(path) for path in paths if posixpath.normpath(path) not in self._files]

    def _take_file(self, path: str) -> Mapping[str, Any]:
        name = posixpath.normpath(path)
        if name not in self._files:
            text = read_file(self._draft, name)
            tree = take_mapping(parse_document(text.encode(), name).value)
            self._files[name] = rebase_paths(tree, posixpath.dirname(name))
        return self._files[name]


def _count_values(tree: Any) -> int:
    children = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    return 1 + sum(map(_count_values, children))


def _merge(base: Mapping[str, Any], service: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in service.items():
        before = result.get(key)
        if key in _PAIRS and before:
            result[key] = {**read_pairs(before), **read_pairs(value)}
        elif isinstance(before, dict) and isinstance(value, dict):
            result[key] = {**before, **value}
        elif isinstance(before, list) and isinstance(value, list) and key not in {"command", "entrypoint"}:
            result[key] = [*before, *value]
        else:
            result[key] = value
    return result
