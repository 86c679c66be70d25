"""Icons and screenshots of imported items: accepted formats and sizes, and the list to collect."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from services.catalog.domain.entities import OWN_SOURCE, Item

MAX_ICON = 256 * 1024  # bytes; an icon has some 20 KB
MAX_SCREENSHOT = 1024 * 1024  # bytes; a screenshot has some 300 KB
MAX_SCREENSHOTS = 3  # of an item; collections have up to a dozen, of which a page shows the first
FILES = "files/"
"""Prefix of the location of a picture that is a file of the source itself."""

# First bytes of formats that browsers show; the Content-Type of a server is no evidence.
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"\x00\x00\x01\x00", "image/x-icon"),
)
# Comments and an XML declaration may come first; a DOCTYPE with entities is refused.
_SVG = re.compile(
    rb"\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--.*?-->\s*)*(?:<!DOCTYPE svg[^>\[]*>\s*)?<svg[\s>]", re.DOTALL
)
# Pictures are served with a policy under which nothing runs; active content is refused nevertheless.
_ACTIVE = re.compile(
    rb"<\s*(?:script|foreignobject|iframe|object|embed|animate|set|handler|!entity)|\son[a-z]+\s*=|javascript:"
    rb"|(?:href|src)\s*=\s*[\"']?\s*(?!#|data:image/(?:png|jpeg|gif|webp);)[^\s\"'>]|@import|url\(\s*[\"']?(?!#|data:)",
    re.IGNORECASE,
)


class InvalidPictureError(Exception):
    """A file is no picture that can be served."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An image as it is served."""

    content_type: str
    content: bytes


def parse_picture(content: bytes, *, limit: int) -> Picture:
    """Return a picture; its type comes from the first bytes, not from its name or the server.

    Raises:
        InvalidPictureError: too large, no PNG, JPEG, GIF, WebP, ICO or SVG, or an SVG that is more than a drawing.
    """
    if len(content) > limit:
        raise InvalidPictureError(f"is larger than {limit} bytes")
    for magic, content_type in _MAGIC:
        if content.startswith(magic):
            return Picture(content_type, content)
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return Picture("image/webp", content)
    if _SVG.match(content[:4096].removeprefix(b"\xef\xbb\xbf")):
        if _ACTIVE.search(content):
            raise InvalidPictureError("is an SVG with scripts, animation or references")
        return Picture("image/svg+xml", content)
    raise InvalidPictureError("is no PNG, JPEG, GIF, WebP, ICO or SVG")


def has_icon(item: Item) -> bool:
    """Return whether an imported item names an icon."""
    return item.source != OWN_SOURCE and item.icon.startswith(("https://", FILES))


def list_screenshots(item: Item) -> tuple[str, ...]:
    """Return the locations of the screenshots that are served."""
    return item.screenshots[:MAX_SCREENSHOTS]


def list_pictures(items: Iterable[Item]) -> Mapping[str, int]:
    """Return the locations of all pictures of items, icons first, with the size that each may have."""
    found = list(items)
    icons = {item.icon: MAX_ICON for item in found if has_icon(item)}
    shots = {shot: MAX_SCREENSHOT for item in found for shot in list_screenshots(item)}
    return icons | {location: limit for location, limit in shots.items() if location not in icons}
