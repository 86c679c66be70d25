"""Checks of the catalog from the command line: our own item files (`make catalog-check`), and collections in a folder."""

from __future__ import annotations

import sys
from pathlib import Path

from services.catalog.config import DATA
from services.catalog.domain.entities import OWN_SOURCE, Input, InputType, Item
from services.catalog.domain.faults import Fault
from services.catalog.domain.importers.collection import import_collection
from services.catalog.domain.item_files.loader import load_items
from services.catalog.domain.renderer.rendered_definition import render_item
from services.catalog.domain.renderer.values import RenderRequest
from services.catalog.domain.sources import SourceFormat
from services.catalog.sources.own_files import OwnFiles
from services.catalog.sources.own_icons import write_brand_icons, write_icons
from services.catalog.sources.source_files import FetchLimits, read_folder
from services.common.core.errors import DomainError
from services.common.core.text import make_lines_printable


def check_folder(folder: Path) -> tuple[tuple[Item, ...], list[Fault]]:
    """Return the good items of a folder, and every fault in it by file and line."""
    files = OwnFiles(folder)
    loaded = load_items(files.read_item_files(), source=OWN_SOURCE)
    faults = list(loaded.faults)
    items = tuple(entry.item for entry in loaded.items)
    for item in items:
        file = f"{item.id}.yaml"
        faults += [Fault(file, 1, message) for message in list_render_faults(item)]
        # Others are addresses of pictures, which the check does not fetch: it runs without a network.
        if item.icon.startswith("icons/") and files.find_icon(item.icon) is None:
            faults.append(Fault(file, 1, f"the icon {item.icon} does not exist"))
    return items, sorted(faults)


def list_render_faults(item: Item) -> list[str]:
    """Render an item with its defaults in each runtime and return the errors.

    Required inputs without a default get an example of their type.
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
    """Return an example for each required input without default."""
    return {
        i.name: _make_example(i) for i in item.inputs if i.required and i.default is None and not i.generate
    }


def _make_example(item_input: Input) -> str:
    # A choice of the item's own: an invented value would be refused, and the item with it.
    if item_input.choices:
        return item_input.choices[0].value
    value, least = _EXAMPLES.get(item_input.type, "example"), item_input.minimum or 0
    if item_input.type is InputType.NUMBER:
        return f"{max(least, 1):g}"
    return value if len(value) >= least else (value * (int(least) // len(value) + 1))[: int(least)]


_EXAMPLES = {
    "url": "https://example.com",
    "email": "you@example.com",
    "number": "1",
    "port": "8080",
    "boolean": "true",
}


def check_catalog(folder: Path = DATA) -> int:
    """Print the faults of a folder's items; return the exit status, 1 for any fault."""
    items, faults = check_folder(folder)
    for fault in faults:
        sys.stdout.write(f"{make_lines_printable(str(fault))}\n")
    files = len({fault.file for fault in faults})
    sys.stdout.write(f"{len(items)} items good, {len(faults)} faults in {files} files\n")
    return 1 if faults or not items else 0


def check_source(path: Path, kind: str) -> int:
    """Print the result of importing a collection: rejections with reasons, and defects of the published items.

    Returns:
        The exit status: 2 for an unknown format or a path that is no folder, 1 where nothing is published or an item does not
        render.
    """
    if kind not in list(SourceFormat) or not path.is_dir():
        sys.stderr.write(f"give a folder and one of {', '.join(SourceFormat)}\n")
        return 2
    imported = import_collection(read_folder(path, FetchLimits()), source="checked", kind=SourceFormat(kind))
    items = [entry.item for entry in imported.items]
    faults = [f"{item.id}: {fault}" for item in items for fault in list_render_faults(item)]
    lines = [f"rejected: {rejection.file}: {rejection.error}" for rejection in imported.rejections]
    lines += [f"no page: {item.id}" for item in items if item.main_port is None]
    lines += [
        f"needs permission: {item.id}: {', '.join(sorted(item.allows))}" for item in items if item.allows
    ]
    lines += [f"does not render: {fault}" for fault in faults]
    for line in lines:
        sys.stdout.write(f"{make_lines_printable(line)}\n")
    rejected = len(imported.rejections)
    sys.stdout.write(f"{len(items)} published, {rejected} rejected, {len(faults)} do not render\n")
    return 1 if faults or not items else 0


def draw_icons(folder: Path = DATA, package: Path | None = None) -> int:
    """Write the icons that are missing, and with the package `simple-icons` those that it has; return the exit status."""
    loaded = load_items(OwnFiles(folder).read_item_files(), source=OWN_SOURCE)
    names = {entry.item.id: entry.item.name for entry in loaded.items}
    written = write_brand_icons(folder / "icons", names, package=package) if package else []
    written += write_icons(folder / "icons", names)
    sys.stdout.write(f"{len(written)} icons drawn\n")
    return 0
