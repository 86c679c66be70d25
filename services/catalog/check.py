"""`make catalog-check`: lints every item file and renders each in every runtime it claims."""

from __future__ import annotations

import sys
from pathlib import Path

from services.catalog.domain.entities import OWN_SOURCE, Item
from services.catalog.domain.faults import Fault
from services.catalog.domain.loader import load_items
from services.catalog.domain.render import render_item
from services.catalog.domain.values import RenderRequest
from services.catalog.files import DATA, find_icon, read_item_files
from services.catalog.icons import write_brand_icons, write_icons
from services.common.core.errors import DomainError
from services.common.core.text import make_lines_printable


def check_folder(folder: Path) -> tuple[tuple[Item, ...], list[Fault]]:
    """Return the good items of a folder, and every fault in it by file and line."""
    loaded = load_items(read_item_files(folder), source=OWN_SOURCE)
    faults = list(loaded.faults)
    items = tuple(entry.item for entry in loaded.items)
    for item in items:
        file = f"{item.id}.yaml"
        faults += [Fault(file, 1, message) for message in list_render_faults(item)]
        if item.icon.startswith("icons/") and find_icon(item.icon, folder) is None:
            faults.append(Fault(file, 1, f"the icon {item.icon} does not exist"))
    return items, sorted(faults)


def list_render_faults(item: Item) -> list[str]:
    """Render an item as its defaults have it, in each runtime, and say what went wrong.

    Required inputs without a default get a value of their type, as a person would give.
    """
    environment = list_example_values(item)
    faults = []
    for runtime in item.runtimes:
        try:
            render_item(item, RenderRequest(runtime=runtime, public_port=31_999, environment=environment))
        except DomainError as error:
            faults.append(f"does not render as {runtime}: {error}")
    return faults


def list_example_values(item: Item) -> dict[str, str]:
    """Return a value for each input that a person must give, as a person would give it."""
    return {i.name: _EXAMPLES.get(i.type, "example") for i in item.inputs if i.required and i.default is None}


_EXAMPLES = {
    "url": "https://example.com",
    "email": "you@example.com",
    "number": "1",
    "port": "8080",
    "boolean": "true",
}


def check_catalog(folder: Path = DATA) -> int:
    """Print what is wrong with a folder's items; return the exit status, 1 for any fault."""
    items, faults = check_folder(folder)
    for fault in faults:
        sys.stdout.write(f"{make_lines_printable(str(fault))}\n")
    files = len({fault.file for fault in faults})
    sys.stdout.write(f"{len(items)} items good, {len(faults)} faults in {files} files\n")
    return 1 if faults or not items else 0


def draw_icons(folder: Path = DATA, package: Path | None = None) -> int:
    """Write the icons that are missing, and with the package `simple-icons` those that it has; return the exit status."""
    loaded = load_items(read_item_files(folder), source=OWN_SOURCE)
    names = {entry.item.id: entry.item.name for entry in loaded.items}
    written = write_brand_icons(folder / "icons", names, package=package) if package else []
    written += write_icons(folder / "icons", names)
    sys.stdout.write(f"{len(written)} icons drawn\n")
    return 0
