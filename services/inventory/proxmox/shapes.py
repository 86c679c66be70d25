"""Shapes of what Proxmox VE answers to the reads of this service, by path."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from services.inventory.proxmox.answers import UnexpectedAnswer, name_kind
from services.inventory.proxmox.metrics import NUMBERS

Check = Callable[[Any], str]
_MOST = 1e18  # bytes and seconds stay far below; infinity and NaN do not
_LATEST = 1e11  # seconds since the epoch; Python knows years up to 9999
_TASK = re.compile(r"[^/?#\s]*")
# What becomes part of the path of a later request, and must not lead to another one.
_IN_PATHS = {
    "node": re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*"),
    "storage": re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*"),
    "upid": re.compile(r"UPID:[^/?#\s]+"),
}
_AMOUNTS = ("maxmem", "mem", "maxdisk", "disk", "cpu", "maxcpu", "cpus", "uptime", "template", "shared")


def check_shape(method: str, path: str, *, data: Any) -> None:
    """Refuse data that a request cannot have as its answer, so that nothing behind this has to expect it.

    Raises:
        UnexpectedAnswer: it is of another shape.
    """
    request = f"{method} {path}"
    # The first pattern that fits a path is its only one.
    for pattern, check in _SHAPES:
        if pattern.fullmatch(request):
            if fault := check(data):
                raise UnexpectedAnswer(f"{fault} for {path}")
            return
    if method != "get" and data is not None and (not isinstance(data, str) or not _TASK.fullmatch(data)):
        raise UnexpectedAnswer(f"{name_kind(data)} instead of a task for {path}")


def _object(*texts: str, numbers: tuple[str, ...] = ()) -> Check:
    """An object with these texts; numbers may be missing."""

    def check(data: Any) -> str:
        if not isinstance(data, dict):
            return f"{name_kind(data)} instead of an object"
        return _find_fault(data, texts, numbers=numbers)

    return check


def _rows(*names: str, numbers: tuple[str, ...] = (), nullable: bool = False) -> Check:
    """A list of objects with these fields; numbers may be missing."""

    def check(data: Any) -> str:
        if data is None and nullable:
            return ""
        if not isinstance(data, list):
            return f"{name_kind(data)} instead of a list"
        for row in data:
            if not isinstance(row, dict):
                return f"a list with {name_kind(row)}"
            if fault := _find_fault(row, names, numbers=numbers):
                return fault
        return ""

    return check


def _resources(data: Any) -> str:
    """/cluster/resources: what a row needs depends on its type."""
    if fault := _rows("type", numbers=_AMOUNTS)(data):
        return fault
    for row in data:
        names, numbers = _RESOURCE_FIELDS.get(row["type"], ((), ()))
        if fault := _find_fault(row, names, numbers=numbers):
            return fault
        if "vmid" in numbers and not _is_number(row.get("vmid")):
            return f"a guest with the id {str(row.get('vmid'))[:40]!r}"
    return ""


def _permissions(data: Any) -> str:
    if fault := _object()(data):
        return fault
    return "" if all(isinstance(each, dict) for each in data.values()) else "permissions that are no objects"


def _samples(data: Any) -> str:
    if fault := _rows(numbers=NUMBERS)(data):
        return fault
    # A time outside would not become one of Python.
    is_timed = all(_is_number(row.get("time")) and 0 < float(row["time"]) < _LATEST for row in data)
    return "" if is_timed else "a sample without a time"


_RESOURCE_FIELDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "node": (("node",), ()),
    "storage": (("node", "storage"), ()),
    "lxc": (("node",), ("vmid",)),
    "qemu": (("node",), ("vmid",)),
}


def _find_fault(row: dict[str, Any], texts: tuple[str, ...], *, numbers: tuple[str, ...]) -> str:
    for name in texts:
        if not isinstance(row.get(name), str) or not row[name]:
            return f"an object without a text {name!r}"
        if name in _IN_PATHS and not _IN_PATHS[name].fullmatch(row[name]):
            return f"{row[name][:40]!r} as {name!r}"
    for name in numbers:
        value = row.get(name)
        if value is not None and value != "" and not _is_number(value):
            return f"{str(value)[:40]!r} as {name!r}"
    return ""


def _is_number(value: object) -> bool:
    if isinstance(value, str):  # Proxmox writes some numbers as text
        try:
            value = float(value)
        except ValueError:
            return False
    return isinstance(value, int | float) and -_MOST < value < _MOST


_PARTS = {"N": r"[^/]+", "V": r"\d+"}


def _compile(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{([NV])\}", lambda match: _PARTS[match.group(1)], path))


_SHAPES: tuple[tuple[re.Pattern[str], Check], ...] = tuple(
    (_compile(path if path.startswith("post ") else f"get {path}"), check)
    for path, check in (
        ("/cluster/resources", _resources),
        ("/storage", _rows("storage")),
        ("/nodes/{N}/lxc/{V}/status/current", _object("status", numbers=_AMOUNTS)),
        ("/nodes/{N}/lxc/{V}/config", _object()),
        ("/nodes/{N}/tasks/{N}/status", _object("status")),
        ("/nodes/{N}/tasks/{N}/log", _rows()),
        ("/nodes/{N}/tasks", _rows("upid", numbers=("starttime", "endtime"))),
        ("/version", _object("version")),
        ("/nodes", _rows("node")),
        ("/cluster/status", _rows("type", "name")),
        ("/access/permissions", _permissions),
        ("/nodes/{N}/lxc/{V}/interfaces", _rows("name", nullable=True)),
        ("/nodes/{N}/qemu/{V}/config", _object()),
        ("/nodes/{N}/qemu/{V}/agent/network-get-interfaces", _object()),
        ("/nodes/{N}/lxc/{V}/snapshot", _rows("name", numbers=("snaptime",))),
        ("/nodes/{N}/lxc/{V}/feature", _object()),
        ("/nodes/{N}/storage", _rows("storage", numbers=("avail", "total", "used"))),
        ("/nodes/{N}/storage/{N}/content", _rows("volid", numbers=("size", "ctime", "vmid"))),
        ("/nodes/{N}/aplinfo", _rows("template")),
        ("/nodes/{N}/network", _rows("iface")),
        ("/nodes/{N}/status", _object()),
        ("/nodes/{N}(/lxc/{V})?/rrddata", _samples),
        ("post /nodes/{N}/lxc/{V}/termproxy", _object("ticket", "user", numbers=("port",))),
    )
)
