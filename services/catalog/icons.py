"""Draws the icons of our own items: a tile with the app's initials, its colour from its id."""

from __future__ import annotations

import colorsys
import hashlib
import re
from pathlib import Path

_TILE = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64" role="img" aria-label="{label}">
  <rect width="64" height="64" rx="14" fill="{colour}"/>
  <text x="32" y="33" fill="#fff" font-family="system-ui, sans-serif" font-size="{size}" font-weight="700"
    text-anchor="middle" dominant-baseline="central">{initials}</text>
</svg>
"""


def draw_icon(item_id: str, name: str) -> str:
    """Return the SVG of a tile; the same app always looks the same."""
    hue = int.from_bytes(hashlib.sha256(item_id.encode()).digest()[:2], "big") / 65_536
    red, green, blue = colorsys.hls_to_rgb(hue, 0.38, 0.55)
    initials = _take_initials(name)
    return _TILE.format(
        label=re.sub(r"[^\w .-]", "", name),
        colour=f"#{int(red * 255):02x}{int(green * 255):02x}{int(blue * 255):02x}",
        size=30 if len(initials) < 2 else 26,
        initials=initials,
    )


def _take_initials(name: str) -> str:
    words: list[str] = re.findall(r"[A-Za-z0-9]+", name)
    if len(words) > 1:
        return (words[0][0] + words[1][0]).upper()
    return words[0][:2].capitalize() if words else "?"


def write_icons(folder: Path, items: dict[str, str]) -> list[Path]:
    """Write the icons that are missing for items given as id -> name; return what was written."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for item_id, name in items.items():
        path = folder / f"{item_id}.svg"
        if not path.exists():
            path.write_text(draw_icon(item_id, name), encoding="utf-8")
            written.append(path)
    return written
