"""Container image references: registry/name:tag@digest."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Upper case is allowed in the registry's host name only; Docker refuses it elsewhere.
_REFERENCE = re.compile(
    r"(?P<name>(?:[a-zA-Z0-9.-]+(?::[0-9]+)?/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
# Tags that name another image tomorrow, so that a revision would not say what it runs.
_FLOATING = frozenset(
    {"latest", "stable", "edge", "nightly", "main", "master", "dev", "develop", "beta", "rolling"}
)


@dataclass(frozen=True, slots=True)
class Image:
    """An image reference, taken apart."""

    name: str
    tag: str
    digest: str

    @property
    def is_pinned(self) -> bool:
        """Whether it names the same content later as well: by a digest, or by a tag that is a version."""
        return bool(self.digest) or bool(self.tag and self.tag.lower() not in _FLOATING)


def find_image(reference: str) -> Image | None:
    """Take a reference apart, or return None where it is not one."""
    match = _REFERENCE.fullmatch(reference) if len(reference) <= 400 else None
    return Image(match["name"], match["tag"] or "", match["digest"] or "") if match else None


def find_tag_fault(reference: str, *, pinned: bool) -> str | None:
    """Return the fault of an image reference, or None."""
    image = find_image(reference)
    if image is None:
        return f"{reference!r} is not an image reference"
    if pinned and not image.is_pinned:
        return f"{reference!r} is not pinned: name a version tag or a digest"
    return None
