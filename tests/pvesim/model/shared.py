"""Storages that several simulated clusters see: one folder of the machine for each place behind them."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from tests.pvesim.model.entities import Storage, Volume

PLACES = {
    "nfs": ("server", "export"),
    "cifs": ("server", "share", "subdir"),
    "pbs": ("server", "port", "datastore", "namespace"),
    "dir": ("path",),
}
"""Settings of storage.cfg by which two clusters see the same files, by type."""


def find_place(storage: Storage) -> str:
    """What is behind a shared storage; empty for one that no other cluster sees."""
    names = PLACES.get(storage.type, ())
    if not storage.shared or not names:
        return ""
    values = {"path": storage.path, **storage.settings}
    return " ".join([storage.type, *(f"{name}={str(values.get(name, '')).rstrip('/')}" for name in names)])


class SharedFolder:
    """Volumes of shared storages as files, one for each, that every cluster on the folder reads and writes."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._seen: dict[str, dict[str, int]] = {}

    def publish(self, storage: Storage, name: str, volume: Volume | None) -> None:
        """Write a volume that was added or changed, or remove one that is gone."""
        place = find_place(storage)
        if not place:
            return
        file = self._folder(place) / _encode(name)
        if volume is None:
            file.unlink(missing_ok=True)
            self._seen.get(storage.name, {}).pop(name, None)
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_name(f".{file.name}.{os.getpid()}")
        fresh.write_text(json.dumps(volume.to_dict()))
        fresh.replace(file)
        self._seen.setdefault(storage.name, {})[name] = file.stat().st_mtime_ns

    def collect(self, storage: Storage) -> tuple[list[Volume], list[str]]:
        """Return the volumes that others added or changed since the last time, and the names of those that are gone."""
        place = find_place(storage)
        if not place:
            return [], []
        seen = self._seen.setdefault(storage.name, {})
        try:
            files = {
                _decode(one.name): one
                for one in os.scandir(self._folder(place))
                if not one.name.startswith(".")
            }
        except FileNotFoundError:
            files = {}
        found = []
        for name, file in files.items():
            try:
                stamp, data = file.stat().st_mtime_ns, Path(file.path).read_text()
            except FileNotFoundError:
                continue
            if seen.get(name) != stamp:
                seen[name] = stamp
                found.append(_build_volume(json.loads(data), storage, name))
        gone = [name for name in seen if name not in files]
        for name in gone:
            del seen[name]
        return found, gone

    def _folder(self, place: str) -> Path:
        return self._root / hashlib.sha256(place.encode()).hexdigest()[:24]


def _build_volume(data: dict[str, Any], storage: Storage, name: str) -> Volume:
    return Volume.from_dict({**data, "storage": storage.name, "name": name, "node": ""})


def _encode(name: str) -> str:
    return name.replace("%", "%25").replace("/", "%2F")


def _decode(name: str) -> str:
    return name.replace("%2F", "/").replace("%25", "%")
