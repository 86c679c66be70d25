"""Builders of sample collections by their format."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from services.catalog.domain.sources import SourceFormat
from tests.unit.catalog import collections_compose, collections_json, collections_templates

Build = Callable[[], Iterator[tuple[str, dict[str, str], str]]]
BUILDS: dict[SourceFormat, Build] = {
    SourceFormat.PORTAINER: collections_json.build_portainer,
    SourceFormat.CASAOS: collections_compose.build_casaos,
    SourceFormat.RUNTIPI: collections_json.build_runtipi,
    SourceFormat.UMBREL: collections_compose.build_umbrel,
    SourceFormat.COOLIFY: collections_templates.build_coolify,
    SourceFormat.DOKPLOY: collections_templates.build_dokploy,
    SourceFormat.COMPOSE: collections_compose.build_compose,
}
