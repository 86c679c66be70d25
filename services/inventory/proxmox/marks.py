"""Marks of the owner on a container: the tag `proximity` and a line of its description that names the owner.

The container of a restore test has marks of its own, so that no release takes it for the app that it was made of.
The marks can be removed without a trace: the owner's line precedes the former description, and the former tags are
noted in a second line where removing our tag would not restore them.
"""

from __future__ import annotations

import re
from typing import Any

from services.inventory.domain.errors import NotOursError
from services.inventory.domain.restore_tests import TEST_PREFIX

TAG = "proximity"
TEST_TAG = "proximity-restore-test"
_LINE = re.compile(r"^proximity-app: *(\S+)[ \r]*$\n?", re.MULTILINE)
_TEST_LINE = re.compile(r"^proximity-restore-test: *(\S+)[ \r]*$\n?", re.MULTILINE)
_TEST_NOTE = "A restore test made it of a backup. It is destroyed when the test ends.\n"
_TAGS_LINE = re.compile(r"^proximity-tags: ?(.*?)\r?$\n?", re.MULTILINE)


def render_description(owner: str, *, note: str = "") -> str:
    """Render the description of a container of `owner`."""
    return f"proximity-app: {owner}\n{note}".rstrip() + "\n"


def render_test_marks(owner: str) -> dict[str, str]:
    """Render the options that mark the container of a restore test."""
    operation_id = owner.removeprefix(TEST_PREFIX)
    return {"description": f"proximity-restore-test: {operation_id}\n{_TEST_NOTE}", "tags": TEST_TAG}


def split_tags(text: str) -> list[str]:
    """Split the tags of a container."""
    # Proxmox writes `;` between tags, and accepts commas and blanks from its users as well.
    return [tag for tag in re.split(r"[;, ]+", text or "") if tag]


def find_named_owner(config: dict[str, Any]) -> str | None:
    """Return the owner that a description names, with or without the tag, or None."""
    line = _LINE.search(str(config.get("description") or ""))
    return line.group(1) if line else None


def find_owner(config: dict[str, Any]) -> str | None:
    """Return the owner whose marks a configuration carries, tag and description, or None."""
    tags = split_tags(str(config.get("tags") or ""))
    if TAG in tags:
        return find_named_owner(config)
    return _find_test_owner(config) if TEST_TAG in tags else None


def _find_test_owner(config: dict[str, Any]) -> str | None:
    line = _TEST_LINE.search(str(config.get("description") or ""))
    return f"{TEST_PREFIX}{line.group(1)}" if line else None


def check_owner(config: dict[str, Any], owner: str, *, vmid: int) -> None:
    """Refuse a container without the owner's marks.

    Raises:
        NotOursError: it is somebody else's, or nobody's.
    """
    found = find_owner(config)
    if found == owner and owner:
        return
    whose = (
        f"carries the mark of {found!r}, not of {owner!r}"
        if found
        else f"does not carry the mark of {owner!r}"
    )
    raise NotOursError(f"container {vmid} {whose}: it is left alone")


def add_marks(config: dict[str, Any], owner: str) -> dict[str, str]:
    """Build options that put the owner's marks on a container and change nothing else."""
    text, before = str(config.get("tags") or ""), str(config.get("description") or "")
    had_marks = find_owner(config) is not None
    was = "" if had_marks else _render_former_tags(text)
    return {
        "tags": ";".join(dict.fromkeys([*split_tags(text), TAG])),
        "description": f"proximity-app: {owner}\n{was}{_LINE.sub('', before)}",
    }


def drop_marks(config: dict[str, Any]) -> dict[str, str]:
    """Build options that remove the marks and restore the former values; what becomes empty is in `delete`.

    Tags that somebody changed meanwhile stay as they are, apart from ours.
    """
    before = str(config.get("description") or "")
    tags = _find_former_tags(before, str(config.get("tags") or ""))
    description = _LINE.sub("", _TAGS_LINE.sub("", before, count=1))
    options = {name: value for name, value in (("tags", tags), ("description", description)) if value}
    gone = [name for name in ("tags", "description") if name not in options and config.get(name)]
    return {**options, **({"delete": ",".join(gone)} if gone else {})}


def _render_former_tags(text: str) -> str:
    """Render the line that notes the former tags; empty where they can be restored without it."""
    tags = split_tags(text)
    is_lossless = TAG not in tags and ";".join(dict.fromkeys(tags)) == text
    return "" if is_lossless else f"proximity-tags: {text}\n"


def _find_former_tags(description: str, text: str) -> str:
    """Return the tags without ours: byte for byte the former ones, unless somebody has changed them."""
    now = set(split_tags(text))
    if noted := _TAGS_LINE.search(description):
        former = noted.group(1)
        had_ours = TAG in split_tags(former)
        if now - {TAG} == set(split_tags(former)) - {TAG}:
            return former
        return text if had_ours else ";".join(tag for tag in split_tags(text) if tag != TAG)
    return ";".join(tag for tag in split_tags(text) if tag != TAG)
