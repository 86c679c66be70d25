"""Import of a collection in a process of its own: a hostile file can end that process only."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import resource
from collections.abc import Mapping
from multiprocessing.connection import Connection

from services.catalog.domain.errors import SourceFetchError
from services.catalog.domain.faults import Rejection
from services.catalog.domain.importers.collection import Imported, import_collection
from services.catalog.domain.item import build_item
from services.catalog.domain.item_files.loader import LoadedItem
from services.catalog.domain.sources import SourceFormat
from services.common.core.log import get_logger

log = get_logger()

_SECONDS = 120.0  # seconds; a hostile collection must not occupy a worker for longer
_MEGABYTES = 2048  # address space of the process; the files of a collection may have 256 and are parsed in it
_MEGABYTE = 1024 * 1024  # bytes
_AT_ONCE = 2  # imports use a core each


class ProcessImporter:
    """Implements `Importer`.

    Args:
        seconds: that an import may take.
        megabytes: of memory that it may take, the collection itself included.
    """

    def __init__(self, *, seconds: float = _SECONDS, megabytes: int = _MEGABYTES) -> None:
        self._seconds = seconds
        self._megabytes = megabytes
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def import_files(self, files: Mapping[str, bytes], *, source: str, kind: SourceFormat) -> Imported:
        """See `Importer.import_files`."""
        async with self._places:
            answer = await asyncio.to_thread(self._run_child, dict(files), source, kind=kind)
        # JSON, not pickle: the child may have been taken over by a hostile file.
        documents, rejections = json.loads(answer)
        items = [LoadedItem(build_item(document, source=source), document) for document in documents]
        return Imported(tuple(items), tuple(Rejection(*rejection) for rejection in rejections))

    def _run_child(self, files: dict[str, bytes], source: str, *, kind: SourceFormat) -> bytes:
        # A forked child would inherit the sockets and locks of this process.
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe(duplex=False)
        arguments = {"source": source, "kind": kind.value, "megabytes": self._megabytes}
        child = context.Process(target=_run, args=(theirs, files), kwargs=arguments, daemon=True)
        child.start()
        theirs.close()  # or the end of the child would not end the pipe
        try:
            if not ours.poll(self._seconds):
                raise SourceFetchError(f"importing it took longer than {self._seconds:g} s")
            return ours.recv_bytes()
        except EOFError:  # the child closed its end without an answer: it ran into the limit, or crashed
            raise SourceFetchError(
                f"importing it needs more than {self._megabytes} MB, or breaks the importer"
            ) from None
        finally:
            ours.close()
            child.kill()
            child.join()
            child.close()


def _run(answer: Connection, files: dict[str, bytes], *, source: str, kind: str, megabytes: int) -> None:
    _limit_memory(megabytes * _MEGABYTE)
    imported = import_collection(files, source=source, kind=SourceFormat(kind))
    documents = [entry.document for entry in imported.items]
    rejections = [(rejection.file, rejection.error) for rejection in imported.rejections]
    answer.send_bytes(json.dumps((documents, rejections)).encode())
    answer.close()


def _limit_memory(limit: int) -> None:
    """Limit the address space of this process to `limit` bytes, or to its present limit if that is lower.

    Only a privileged process may raise a hard limit; one that a container or `ulimit -v` set stays.
    """
    known = [value for value in resource.getrlimit(resource.RLIMIT_AS) if value != resource.RLIM_INFINITY]
    lowest = min([limit, *known])
    try:
        resource.setrlimit(resource.RLIMIT_AS, (lowest, lowest))
    except (OSError, ValueError) as error:
        log.warning("memory_not_limited", limit=lowest, error=str(error))
