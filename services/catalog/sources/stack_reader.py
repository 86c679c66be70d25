"""Reader of the stack files that a Portainer collection names in other repositories."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from services.catalog.domain.errors import SourceFetchError
from services.catalog.domain.importers.formats.stacks import FAILURE, StackRepository, list_stack_repositories
from services.catalog.domain.interfaces import SourceFetcher
from services.common.core.log import get_logger

log = get_logger()

_SECONDS = 240.0  # for all repositories of a collection: a fetch counts as lost after 15 minutes
_FRESH_S = 900.0  # collections name the same few repositories; a refresh of the next one reads them once
_MAX_KNOWN = 60  # repositories in memory, twice what one collection may name
_MAX_BYTES = 4 * 1024 * 1024  # of one repository's stack folders


@dataclass(kw_only=True)
class StackReader:
    """Reader of repositories under the rules of sources; a repository is read again after 15 minutes."""

    fetcher: SourceFetcher
    seconds: float = _SECONDS
    _known: dict[tuple[str, str, frozenset[str]], tuple[float, Mapping[str, bytes]]] = field(
        default_factory=dict
    )

    async def add_stacks(self, files: Mapping[str, bytes]) -> Mapping[str, bytes]:
        """Return the files of a collection with those of the repositories it names; for one that fails, the reason."""
        found = dict(files)
        deadline = time.monotonic() + self.seconds
        for repository in list_stack_repositories(files):
            if time.monotonic() > deadline:
                reason = f"fetching the repositories of the collection took longer than {self.seconds:g} s"
                found[f"{repository.folder}/{FAILURE}"] = reason.encode()
                continue
            found |= await self._read(repository)
        return found

    async def _read(self, repository: StackRepository) -> Mapping[str, bytes]:
        key = (repository.folder, repository.reference, repository.paths)
        when, known = self._known.get(key, (0.0, None))
        if known is not None and time.monotonic() - when < _FRESH_S:
            return known
        branch = f"#{repository.reference}" if repository.reference else ""
        try:
            files = await self.fetcher.fetch_files(f"git+{repository.url}{branch}")
        except SourceFetchError as error:  # its apps are rejected with this reason; the others are imported
            log.info("stack_repository_failed", url=repository.url, error=error.message)
            return {f"{repository.folder}/{FAILURE}": error.message[:300].encode()}
        found = _select_files(files, repository)
        # The oldest goes first; what is still needed is read again.
        while len(self._known) >= _MAX_KNOWN:
            self._known.pop(next(iter(self._known)))
        self._known[key] = (time.monotonic(), found)
        return found


def _select_files(files: Mapping[str, bytes], repository: StackRepository) -> dict[str, bytes]:
    """Return the stack files and the files of their folders, up to the limit of size."""
    homes = {path.rpartition("/")[0] for path in repository.paths}
    selected = {path: files[path] for path in repository.paths if path in files}
    size = sum(map(len, selected.values()))
    for path, content in files.items():
        if path not in selected and any(not home or path.startswith(f"{home}/") for home in homes):
            size += len(content)
            if size > _MAX_BYTES:
                break
            selected[path] = content
    return {f"{repository.folder}/{path}": content for path, content in selected.items()}
