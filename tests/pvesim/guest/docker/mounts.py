"""The `volumes` of a service: named, bind, anonymous; short and long syntax."""

import hashlib
import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

from tests.pvesim.guest.docker.state import VOLUMES, DockerError, Mount


def read_mounts(
    service: str, entries: list[Any], volumes: Mapping[str, str], *, directory: str
) -> Iterator[Mount]:
    """The mounts of a service; `volumes` are the declared ones by key.

    Raises:
        DockerError: a volume is not declared, a path is relative inside the container.
    """
    for entry in entries:
        if isinstance(entry, dict):
            kind, source, target = (
                str(entry.get("type", "volume")),
                str(entry.get("source") or ""),
                str(entry.get("target") or ""),
            )
            read_only = bool(entry.get("read_only"))
        else:
            source, target, read_only = split_short(str(entry))
            kind = "bind" if source[:1] in ("/", ".", "~") else "volume"
        if kind == "tmpfs":
            continue
        if not target.startswith("/"):
            raise DockerError(
                f"services.{service}.volumes: invalid mount path: '{target}' mount path must be absolute"
            )
        if kind == "bind":
            yield Mount(_resolve(source, directory), target, "bind", "", read_only)
        else:
            yield _name_volume(service, source, target, volumes=volumes, read_only=read_only)


def split_short(text: str) -> tuple[str, str, bool]:
    """`source:target[:options]` or `target` alone, as (source, target, read-only)."""
    parts = text.split(":")
    if len(parts) == 1:
        return "", parts[0], False
    return (
        parts[0],
        parts[1],
        "ro" in (parts[2].split(",") if len(parts) > 2 else []),
    )  # source:target:options


def _resolve(source: str, directory: str) -> str:
    expanded = "/root" + source[1:] if source.startswith("~") else source
    return posixpath.normpath(posixpath.join(directory, expanded))


def _name_volume(
    service: str, source: str, target: str, *, volumes: Mapping[str, str], read_only: bool
) -> Mount:
    if not source:
        name = hashlib.sha256(f"{service}{target}".encode()).hexdigest()
    elif source in volumes:
        name = volumes[source]
    else:
        raise DockerError(f'service "{service}" refers to undefined volume {source}: invalid compose project')
    return Mount(f"{VOLUMES}/{name}/_data", target, "volume", name, read_only)
