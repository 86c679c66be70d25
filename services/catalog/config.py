"""Settings of the catalog."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from services.common.core.config import ServiceSettings, setting
from services.common.core.parsing import parse_bool, parse_folder, parse_int, parse_list

DATA = Path(__file__).resolve().parent / "data"  # the items of this repository


def parse_file(text: str) -> Path:
    """Return a file that exists.

    Raises:
        ValueError: it does not.
    """
    path = Path(text)
    if not path.is_file():
        raise ValueError(f"{text!r} is not a file")
    return path


def parse_folders(text: str) -> tuple[Path, ...]:
    """Return folders that exist, separated by commas.

    Raises:
        ValueError: one does not.
    """
    return tuple(parse_folder(part) for part in parse_list(text))


@dataclasses.dataclass(frozen=True, kw_only=True)
class CatalogSettings(ServiceSettings):
    """Settings of the catalog, read from the environment."""

    data: Path = setting(
        "CATALOG_DATA", default=DATA, parse=parse_folder, doc="Folder with the items of our own."
    )
    source_roots: tuple[Path, ...] = setting(
        "CATALOG_SOURCE_ROOTS",
        default=(),
        parse=parse_folders,
        doc="Folders on the server that registered sources may be in, comma-separated.",
    )
    allow_private_sources: bool = setting(
        "CATALOG_ALLOW_PRIVATE_SOURCES",
        default=False,
        parse=parse_bool,
        doc="Whether sources may be fetched from addresses of this machine and its network.",
    )
    source_ca_file: Path | None = setting(
        "CATALOG_SOURCE_CA_FILE",
        default=None,
        parse=parse_file,
        doc="Certificates (PEM) trusted for sources instead of the system's.",
    )
    host_needs: tuple[str, ...] = setting(
        "CATALOG_HOST_NEEDS",
        default=(),
        parse=parse_list,
        doc="Ids of items, or <source>.* for all of a source, that may be deployed although they need the host: "
        "devices, capabilities, its folders.",
    )
    fetch_seconds: int = setting(
        "CATALOG_FETCH_SECONDS",
        default=300,
        parse=parse_int(5, 840),
        doc="How long fetching a source may take.",
    )
    fetch_megabytes: int = setting(
        "CATALOG_FETCH_MEGABYTES", default=256, parse=parse_int(1, 4096), doc="How large a source may be."
    )
