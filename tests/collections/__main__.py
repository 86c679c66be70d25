"""`python -m tests.collections FOLDER FORMAT [--stacks FOLDER] [--seed N] [--count N] [--details]` measures a collection.

FOLDER holds a complete collection, `--stacks` folders `owner/name` of repositories that Portainer templates name. Exit
status 1: something published is no Compose definition, shows a raw variable or HTML, or differs from its source.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import resource
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from services.apps.domain.compose import render_values_file
from services.catalog.commands import list_example_values
from services.catalog.domain.entities import Item
from services.catalog.domain.errors import SourceFetchError
from services.catalog.domain.importers.collection import READERS, Imported, import_collection
from services.catalog.domain.importers.draft import make_id
from services.catalog.domain.renderer.rendered_definition import render_item
from services.catalog.domain.renderer.values import RenderRequest
from services.catalog.domain.sources import SourceFormat, find_git_location
from services.catalog.sources.source_files import FetchLimits, read_folder
from services.catalog.sources.stack_reader import StackReader
from tests.collections.deploy import RAW_TEXT
from tests.collections.meaning import list_differences
from tests.collections.sources import read_source
from tests.contract.compose.judge import ComposeError, find_program, read_project

_CANNOT_RUN = re.compile(
    r"privileged|Docker socket|of its host|swarm stack|edge stack|made for|no longer available|disabled by|ignored by"
    r"|works only beside|outside its own folder|adds the capability|sets devices|sets device_cgroup|the (?:ipc|pid|network)"
    r"|sets build|has no image|not part of the collection|not part of its collection|not YAML|is not a port between"
)


class _Folders:
    """Implements `SourceFetcher` with folders `owner/name` instead of the repositories."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def fetch_files(self, location: str) -> Mapping[str, bytes]:
        git = find_git_location(location)
        wanted = urlsplit(git.url).path.strip("/").removesuffix(".git").lower() if git else ""
        for folder in self._root.glob("*/*"):
            if str(folder.relative_to(self._root)).lower() == wanted:
                return read_folder(folder, FetchLimits())
        raise SourceFetchError(f"{location} is not below {self._root}")


def main(arguments: list[str]) -> int:
    """Measure a collection and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.collections", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("format", type=SourceFormat, choices=list(READERS))
    parser.add_argument("--stacks", type=Path)
    parser.add_argument("--seed", type=int, default=20261130)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument(
        "--details", action="store_true", help="print every rejection that is not known to be right"
    )
    options = parser.parse_args(arguments)
    files = read_folder(options.folder, FetchLimits())
    if options.stacks:
        files = asyncio.run(StackReader(fetcher=_Folders(options.stacks)).add_stacks(files))
    started = time.monotonic()
    imported = import_collection(files, source="measured", kind=options.format)
    seconds = time.monotonic() - started
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    faults = [*_list_invalid(imported), *_list_raw_texts(imported), *_list_missing_pages(imported)]
    differences, compared = _compare_sample(files, imported, options)
    _print_figures(imported, options, [f"{seconds:.1f} s, {megabytes:.0f} MB"])
    for line in [*faults, *differences]:
        sys.stdout.write(f"{line}\n")
    sys.stdout.write(f"{len(faults)} faults; {len(differences)} differences in {compared} compared items\n")
    return 1 if faults or differences else 0


def _print_figures(imported: Imported, options: argparse.Namespace, more: list[str]) -> None:
    unclear = [one for one in imported.rejections if not _CANNOT_RUN.search(one.error)]
    published, rejected = len(imported.items), len(imported.rejections)
    able = published + len(unclear)
    share = f"{100 * published / able:.1f} %" if able else "none"
    pages = sum(entry.item.main_port is not None for entry in imported.items)
    sys.stdout.write(
        f"{options.folder.name} ({options.format}): {published + rejected} entries, {able} that a container of their own can"
        f" run, {published} published ({share}), {pages} with a page, {', '.join(more)}\n"
    )
    for one in imported.rejections if options.details else unclear:
        sys.stdout.write(f"rejected: {one.file}: {one.error[:300]}\n")


def _list_invalid(imported: Imported) -> list[str]:
    """Return the items that the real Docker Compose refuses."""
    program, faults = find_program(), []
    for entry in imported.items:
        request = RenderRequest(
            runtime="compose",
            public_port=31_999,
            hostname="app-1",
            environment=list_example_values(entry.item),
        )
        rendered = render_item(entry.item, request)
        values = render_values_file(rendered.compose_yaml, rendered.environment)
        try:
            read_project(program, yaml.safe_load(rendered.compose_yaml), values)
        except ComposeError as error:
            faults.append(f"{entry.item.id} is refused by Compose: {error}")
    return faults


def _list_raw_texts(imported: Imported) -> list[str]:
    """Return the texts that people read and in which a variable or HTML stands."""
    return [
        f"{entry.item.id} shows {text[:200]!r}"
        for entry in imported.items
        for text in _list_texts(entry.item)
        if RAW_TEXT.search(text)
    ]


def _list_texts(item: Item) -> list[str]:
    texts = [
        item.name,
        item.version,
        item.description,
        item.author,
        item.release_notes,
        *item.notes,
        *item.tags,
    ]
    texts += [text for one in item.inputs for text in (one.label, one.help, *(c.label for c in one.choices))]
    if item.credentials:
        texts += [item.credentials.change]
    return texts


def _list_missing_pages(imported: Imported) -> list[str]:
    return [
        f"{entry.item.id} has no page and no note that says why"
        for entry in imported.items
        if entry.item.main_port is None and not entry.item.notes
    ]


def _compare_sample(
    files: Mapping[str, bytes], imported: Imported, options: argparse.Namespace
) -> tuple[list[str], int]:
    """Compare a seeded sample of the published items with their sources; return the differences and how many it are."""
    items = {entry.document["id"]: entry.item for entry in imported.items}
    entries: dict[str, str] = {}
    for file, read in READERS[options.format](files):
        try:
            draft = read()
        except Exception:  # noqa: BLE001 - those that cannot be read are rejections
            continue
        if draft is not None:
            entries.setdefault(
                make_id(draft.id) or make_id(draft.name), draft.file if "#" in draft.file else file
            )
    chosen = random.Random(options.seed).sample(sorted(items), min(options.count, len(items)))
    differences = []
    for name in chosen:
        source = read_source(options.format, files, entries[name])
        differences += [f"{name}: {text}" for text in list_differences(source, items[name])]
    return differences, len(chosen)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
