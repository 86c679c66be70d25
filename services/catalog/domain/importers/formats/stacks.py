"""The repositories that Portainer's templates name: their stack files lie there, not in the collection itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from services.catalog.domain.importers.draft import take_list, take_mapping, take_text

STACKS = ".stacks/"
"""Folder of the files of other repositories among those of a collection; no collection has files there."""
FAILURE = ".failure"
"""File in a repository's folder with the reason why it could not be read."""
MAX_REPOSITORIES = 30  # of a collection; each is a clone, and all must end within four minutes


@dataclass(frozen=True, slots=True)
class StackRepository:
    """A public repository with stack files.

    Attributes:
        url: of the repository, as it is written first.
        folder: where its files are put.
        reference: a branch, empty for the default one.
        paths: of the stack files.
    """

    url: str
    folder: str
    reference: str
    paths: frozenset[str]


def name_stack_folder(url: str) -> str:
    """Return where the files of a repository are put: owners and names are the same in any case."""
    parts = urlsplit(url)
    return f"{STACKS}{parts.netloc}/{parts.path.strip('/').removesuffix('.git')}".lower()


def list_stack_repositories(files: Mapping[str, bytes]) -> list[StackRepository]:
    """Return the repositories whose files a Portainer collection needs and does not have, at most `MAX_REPOSITORIES`."""
    found: dict[str, StackRepository] = {}
    for path, content in files.items():
        if not path.endswith(".json") or path.startswith(STACKS):
            continue
        try:
            data = json.loads(content)
        except (ValueError, RecursionError):
            continue
        for template in take_list(data.get("templates") if isinstance(data, dict) else data):
            record = take_mapping(take_mapping(template).get("repository"))
            url, file = take_text(record.get("url"), 400), take_text(record.get("stackfile"), 400).strip("/")
            kind = str(take_mapping(template).get("type"))
            if kind != "3" or not url.startswith("https://") or not file or file in files or ".." in file:
                continue
            folder = name_stack_folder(url)
            reference = take_text(record.get("reference") or record.get("ref"), 100).removeprefix(
                "refs/heads/"
            )
            known = found.get(folder) or StackRepository(url.rstrip("/"), folder, reference, frozenset())
            found[folder] = StackRepository(known.url, folder, known.reference, known.paths | {file})
    return list(found.values())[:MAX_REPOSITORIES]
