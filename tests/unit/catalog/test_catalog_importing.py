"""Imports in a process of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time

import pytest

from services.catalog.domain.errors import SourceFetchError
from services.catalog.domain.importers.collection import MAX_ENTRIES, import_collection
from services.catalog.domain.sources import SourceFormat
from services.catalog.sources.process_importer import ProcessImporter
from tests.unit.catalog.collection_samples import WEB, portainer

HOSTILE = {
    "huge": b"a" * 2_000_000,
    "deep": b"[" * 200_000,
    "bomb": b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n".encode() for i in range(12)
    ),
    "binary": bytes(range(256)) * 1000,
    "wide": b"services: {" + b",".join(f"s{i}: {{image: a/b:1}}".encode() for i in range(20_000)) + b"}",
    "spaces": b"services:\n" + b" " * 400_000 + b"a: 1",
    "ports": b"services: {a: {image: a/b:1, ports: [" + b",".join([b"'1-65535:1-65535'"] * 9000) + b"]}}",
    "dollars": b"services: {a: {image: a/b:1, command: '" + b"${a:-" * 60_000 + b"'}}",
    "slow pattern": b"services: {a: {image: '" + b"a/" * 200_000 + b"'}}",
}  # fmt: skip


async def test_what_a_process_of_its_own_imports_is_what_is_imported_here() -> None:
    files = {name: text.encode() for name, text in portainer(WEB, {"type": 2, "title": "Swarm"}).items()}
    imported = await ProcessImporter().import_files(files, source="acme", kind=SourceFormat.PORTAINER)
    assert imported == import_collection(files, source="acme", kind=SourceFormat.PORTAINER)
    assert len(imported.rejections) == 1


async def test_an_import_that_takes_too_long_or_too_much_is_ended_with_a_reason() -> None:
    files = {"t.json": json.dumps([WEB] * 3000).encode()}
    for importer, reason in (
        (ProcessImporter(seconds=0.01), "longer than 0.01 s"),
        (ProcessImporter(megabytes=1), "more than 1 MB"),
    ):
        with pytest.raises(SourceFetchError, match=reason):
            await importer.import_files(files, source="acme", kind=SourceFormat.PORTAINER)


GIVEN = """
import resource, sys
from services.catalog.sources.process_importer import _limit_memory
given, wanted = (int(each) << 20 for each in sys.argv[1:])
resource.setrlimit(resource.RLIMIT_AS, (given, given))
_limit_memory(wanted)
print(*(value >> 20 for value in resource.getrlimit(resource.RLIMIT_AS)))
"""


@pytest.mark.parametrize(("given", "wanted", "found"), [(4096, 8192, 4096), (8192, 4096, 4096)])
def test_an_importer_takes_no_more_memory_than_the_process_was_given(
    given: int, wanted: int, found: int
) -> None:
    """Raising a hard limit is for the privileged: the importer must work without that."""
    unprivileged = ["setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource"]
    prefix = unprivileged if os.geteuid() == 0 and shutil.which("setpriv") else []
    command = [*prefix, sys.executable, "-c", GIVEN, str(given), str(wanted)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout.split(), done.returncode) == ([str(found)] * 2, 0), done.stderr


def test_a_hostile_file_costs_the_others_neither_their_place_nor_much_time() -> None:
    good = b"services: {a: {image: a/b:1, ports: ['80:80']}}"
    files = {f"{name}/compose.yaml": content for name, content in HOSTILE.items()}
    files |= {f"good{number}/compose.yaml": good for number in range(5)}
    started = time.process_time()
    imported = import_collection(files, source="acme", kind=SourceFormat.COMPOSE)
    assert {e.item.id for e in imported.items} >= {f"acme.good{number}" for number in range(5)}
    assert {r.file for r in imported.rejections} >= {
        f"{n}/compose.yaml" for n in ("huge", "deep", "bomb", "binary")
    }
    assert all(len(r.error) < 2000 for r in imported.rejections)
    assert time.process_time() - started < 10


def test_no_collection_has_items_without_end() -> None:
    files = {"t.json": json.dumps([{"type": 2}] * (MAX_ENTRIES + 5)).encode()}
    imported = import_collection(files, source="acme", kind=SourceFormat.PORTAINER)
    assert len(imported.rejections) == MAX_ENTRIES + 1
    assert imported.rejections[-1].error == f"only the first {MAX_ENTRIES} entries are read"
