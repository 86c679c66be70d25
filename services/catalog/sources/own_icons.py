"""Icons of our own items: the app's own from Simple Icons, else a tile with its initials in a colour from its id."""

from __future__ import annotations

import colorsys
import hashlib
import json
import re
from pathlib import Path

_TILE = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64" role="img" aria-label="{label}">
  <rect width="64" height="64" rx="14" fill="{colour}"/>
  <text x="32" y="33" fill="#fff" font-family="system-ui, sans-serif" font-size="{size}" font-weight="700"
    text-anchor="middle" dominant-baseline="central">{initials}</text>
</svg>
"""


_BRAND = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64" role="img" aria-label="{label}">
  <rect width="64" height="64" rx="14" fill="#{colour}"/>
  <path transform="translate(14 14) scale(1.5)" fill="{ink}" d="{path}"/>
</svg>
"""
_PATH = re.compile(r'<path d="([^"]+)"/>')
_BRIGHT = 150  # of 255; white is not readable on a brighter colour
BRANDS = "simple-icons.json"
"""File beside the icons: which of them are from Simple Icons, under which name, in which colour."""


def draw_brand_icon(label: str, drawing: str, *, colour: str) -> str:
    """Return the SVG of a tile in an app's colour with its icon.

    Args:
        label: the app's name.
        drawing: the icon as Simple Icons has it: one path in a box of 24.
        colour: six hexadecimal digits.

    Raises:
        ValueError: the drawing is not one path.
    """
    found = _PATH.search(drawing)
    if found is None:
        raise ValueError(f"the icon of {label} is not one path")
    red, green, blue = bytes.fromhex(colour)
    is_bright = 0.299 * red + 0.587 * green + 0.114 * blue > _BRIGHT
    label = re.sub(r"[^\w .-]", "", label)
    return _BRAND.format(
        label=label, colour=colour.lower(), ink="#000" if is_bright else "#fff", path=found[1]
    )


def write_brand_icons(folder: Path, items: dict[str, str], *, package: Path) -> list[Path]:
    """Write the icons that the file `BRANDS` lists, from an unpacked npm package `simple-icons`; return what was written."""
    brands = json.loads((folder / BRANDS).read_text(encoding="utf-8"))["icons"]
    written = []
    for item_id in sorted(items.keys() & brands.keys()):
        brand = brands[item_id]
        drawing = (package / "icons" / f"{brand['slug']}.svg").read_text(encoding="utf-8")
        path = folder / f"{item_id}.svg"
        path.write_text(draw_brand_icon(items[item_id], drawing, colour=brand["colour"]), encoding="utf-8")
        written.append(path)
    return written


def draw_icon(item_id: str, name: str) -> str:
    """Return the SVG of a tile, whose colour depends on the id alone."""
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
