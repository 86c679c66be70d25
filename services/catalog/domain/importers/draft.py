"""Draft of one entry of a collection, before it is converted into our format."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.catalog.domain.item_files.document import Value


class RefusedEntryError(Exception):
    """An entry cannot be published; the message is the reason a person can act on."""


@dataclass(slots=True)
class Draft:
    """One entry as its collection describes it.

    Attributes:
        known: variables whose value the platform or the collection gives.
        own_folders: prefixes of the folders of an app's own data.
        shared_folders: prefixes of folders that its apps share; each becomes a volume of the app.
        inputs: input records in our format for variables that users set.
        files: the files beside the definition, by path; it may mount them.
        texts: paths of the files whose variables are those of the definition.
        main_service, main_port: service and port of its web page, where the collection names them.
        published_port: the port on which the collection publishes it.
        has_page: whether a web page answers there.
        probe_scheme: http or https, empty where the collection names none.
        helps: descriptions of variables, by name.
        release_notes: of the version.
        replaced: secrets of the collection that an input of the same name generates instead.
        page_hints: the port of each service's page that its collection names indirectly: in labels for a proxy, or in
            a health check.
        reasons: why the entry cannot be published, as far as this is known before the document is checked.
    """

    file: str
    id: str
    # Not yet checked, and in the dialect of its collection.
    compose: Value
    name: str = ""
    version: str = ""
    description: str = ""
    category: str = ""
    tags: list[str] = field(default_factory=list)
    author: str = ""
    website: str = ""
    documentation: str = ""
    source_code: str = ""
    icon: str = ""
    screenshots: list[str] = field(default_factory=list)
    architectures: list[str] = field(default_factory=list)
    known: dict[str, str] = field(default_factory=dict)
    own_folders: tuple[str, ...] = ()
    shared_folders: tuple[str, ...] = ()
    inputs: list[dict[str, Any]] = field(default_factory=list)
    files: Mapping[str, bytes] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    main_service: str = ""
    main_port: int = 0
    # 0: the collection leaves it to the platform.
    published_port: int = 0
    has_page: bool = True
    probe_path: str = "/"
    probe_scheme: str = ""
    username: str = ""
    password: str = ""
    helps: Mapping[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    replaced: Mapping[str, str] = field(default_factory=dict)
    page_hints: dict[str, int] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    memory: int = 0
    release_notes: str = ""

    def note(self, text: str) -> None:
        """Add a note for the people who deploy the app, once."""
        if text not in self.notes:
            self.notes.append(text)

    def refuse(self, reason: str) -> None:
        """Add a reason why the entry cannot be published; the search for others goes on."""
        if reason not in self.reasons:
            self.reasons.append(reason)


# An entry of a collection: its place, and what reads it; None where it is none of an app.
Entry = tuple[str, Callable[[], Draft | None]]


def make_id(text: str) -> str:
    """Return a name as an id: lower case letters, digits and dashes."""
    words = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return words[:60].strip("-")


def take_text(value: Value, limit: int = 4000) -> str:
    """Return a text that may be given by language, without control characters, cut to a limit."""
    if isinstance(value, dict):
        for language in ("en_us", "en_US", "en_gb", "en_GB", "en"):
            if isinstance(value.get(language), str):
                return take_text(value[language], limit)
        return take_text(next((text for text in value.values() if isinstance(text, str)), ""), limit)
    if value is None or isinstance(value, list):
        return ""
    text = re.sub(
        r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ue000\ue001]", "", str(value)
    ).strip()
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def take_list(value: Value) -> list[Any]:
    """Return a list, an absent or single value being one too."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def take_mapping(value: Value) -> Mapping[str, Any]:
    """Return a mapping, empty where there is none."""
    return value if isinstance(value, dict) else {}


def take_port(value: Value) -> int:
    """Return a port, or 0."""
    text = str(value).strip()
    return int(text) if text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= 65_535 else 0
