"""Memory, processors and disk of imported apps: their collection's, else those that community-scripts gives the name."""

from __future__ import annotations

import pytest

from services.catalog.domain.entities import Need, Resources
from services.catalog.domain.importers.collection import import_collection
from services.catalog.domain.importers.resources import find_community_resources
from services.catalog.domain.sources import SourceFormat


def load(name: str, more: str = "") -> Resources:
    text = (
        f"services: {{app: {{image: 'a/b:1', ports: ['80:80'], labels: {{proximity.name: '{name}'}}{more}}}}}"
    )
    files = {f"{name.lower()}/compose.yaml": text.encode()}
    (entry,) = import_collection(files, source="acme", kind=SourceFormat.COMPOSE).items
    return entry.item.resources


@pytest.mark.parametrize("name", ["Immich", "immich", "IMMICH"])
def test_an_app_is_known_by_its_name_in_any_spelling(name: str) -> None:
    memory, cores, disk = find_community_resources("Immich") or (0, 0, 0)
    assert memory > 2048
    assert load(name) == Resources(Need(memory // 2, memory), Need(0.5, cores), Need(disk, 2 * disk))


def test_what_the_collection_says_counts() -> None:
    reserved = ", deploy: {resources: {reservations: {memory: 300M}}}"
    assert load("Immich", reserved).memory.minimum == 300


def test_an_app_that_is_not_listed_has_the_defaults() -> None:
    assert find_community_resources("Nothing of the kind") is None
    assert load("Unlisted") == Resources(Need(256, 512), Need(0.5, 1), Need(4, 16))


def test_an_app_of_little_memory_has_that_of_its_services() -> None:
    assert find_community_resources("Gotify") is not None
    assert load("Gotify").memory.minimum >= 256
