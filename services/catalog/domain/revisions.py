"""Differences of two revisions of an item."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from services.catalog.domain.entities import Item
from services.catalog.domain.item import resolve_image

# Hosts that show the releases of a repository below its own address.
_REPOSITORY = re.compile(r"https://(?:github\.com|codeberg\.org|gitlab\.com)/[^/\s?#]+/[^/\s?#]+")


@dataclass(frozen=True, slots=True)
class ImageChange:
    """A service that runs another image; one side is empty where the service is new or gone."""

    service: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class ListedRevision:
    """The newest revision of an item, and whether its icon can be served."""

    item: Item
    has_icon: bool


@dataclass(frozen=True, slots=True)
class RevisionComparison:
    """Changes that the revision `item` brings; `from_version` is empty where the former one is unknown."""

    item: Item
    from_version: str
    images: tuple[ImageChange, ...]
    added_inputs: tuple[str, ...]
    removed_inputs: tuple[str, ...]
    notes: tuple[str, ...]
    release_notes_url: str


def compare_items(before: Item | None, after: Item) -> RevisionComparison:
    """Return the differences; without a former revision everything of the new one counts as new."""
    earlier = {} if before is None else {one.name: one for one in before.inputs}
    names = {one.name for one in after.inputs}
    known = () if before is None else before.notes
    return RevisionComparison(
        item=after,
        from_version=before.version if before else "",
        images=tuple(_list_image_changes(before, after)),
        added_inputs=tuple(one.name for one in after.inputs if one.name not in earlier),
        removed_inputs=tuple(name for name in earlier if name not in names),
        notes=tuple(note for note in after.notes if note not in known),
        release_notes_url=_find_releases(after),
    )


def _list_image_changes(before: Item | None, after: Item) -> Iterator[ImageChange]:
    old, new = ({} if item is None else _read_images(item) for item in (before, after))
    for service in dict.fromkeys([*new, *old]):
        if old.get(service) != new.get(service):
            yield ImageChange(service, old.get(service, ""), new.get(service, ""))


def _read_images(item: Item) -> dict[str, str]:
    services = item.compose["services"].items()
    return {name: resolve_image(str(service.get("image", "")), item.inputs) for name, service in services}


def _find_releases(item: Item) -> str:
    for address in (item.source_code, item.website):
        if match := _REPOSITORY.match(address.removesuffix(".git")):
            path = "/-/releases" if "://gitlab.com/" in match[0] else "/releases"
            return match[0] + path
    return ""
