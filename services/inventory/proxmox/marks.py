"""Whose a container is: the tag `proximity` and a line of its description that names the owner."""

from __future__ import annotations

import re
from typing import Any

from services.inventory.domain.errors import NotOursError

TAG = "proximity"
_LINE = re.compile(r"^proximity-app: *(\S+) *$", re.MULTILINE)


def render_description(owner: str, *, note: str = "") -> str:
    """The description of a container of `owner`."""
    return f"proximity-app: {owner}\n{note}".rstrip() + "\n"


def split_tags(text: str) -> list[str]:
    """The tags of a container."""
    return [tag for tag in re.split(r"[;, ]+", text or "") if tag]


def find_owner(config: dict[str, Any]) -> str | None:
    """The owner whose marks a configuration carries, both of them."""
    line = _LINE.search(str(config.get("description") or ""))
    return line.group(1) if line and TAG in split_tags(str(config.get("tags") or "")) else None


def check_owner(config: dict[str, Any], owner: str, *, vmid: int) -> None:
    """Refuse a container without the owner's marks.

    Raises:
        NotOursError: somebody else's, or nobody's.
    """
    found = find_owner(config)
    if found != owner or not owner:
        whose = f"belongs to {found!r}" if found else "does not carry the platform's marks"
        raise NotOursError(f"container {vmid} {whose}, not to {owner!r}: it is left alone")


def add_marks(config: dict[str, Any], owner: str) -> dict[str, str]:
    """Options that put the owner's marks on a container and keep what is there."""
    tags = split_tags(str(config.get("tags") or ""))
    description = _LINE.sub("", str(config.get("description") or "")).strip("\n")
    return {
        "tags": ";".join(dict.fromkeys([*tags, TAG])),
        "description": render_description(owner, note=description),
    }


def drop_marks(config: dict[str, Any]) -> dict[str, str]:
    """Options that take the marks off and keep the rest; what becomes empty is in `delete`."""
    tags = ";".join(tag for tag in split_tags(str(config.get("tags") or "")) if tag != TAG)
    description = _LINE.sub("", str(config.get("description") or "")).strip("\n")
    options = {name: value for name, value in (("tags", tags), ("description", description)) if value}
    gone = [name for name in ("tags", "description") if name not in options and config.get(name)]
    return {**options, **({"delete": ",".join(gone)} if gone else {})}
