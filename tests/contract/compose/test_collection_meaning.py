"""The comparison of collections with what is published of them finds differences, and takes intended ones for none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from services.catalog.domain.importers.collection import import_collection
from services.catalog.domain.sources import SourceFormat
from tests.collections.meaning import list_differences
from tests.collections.sources import read_source

DEFINITION = """
services:
  web:
    image: acme/web:1
    command: run --fast
    environment: {MODE: prod, DB: 'postgres://u:hunter2secret@db/x', URL: 'http://${HOST:-h}:8080'}
    ports: ['8080:80', '9000-9001:9000-9001/udp']
    volumes: ['./data:/data', '/etc/localtime:/etc/localtime:ro']
    depends_on: {db: {condition: service_started}}
  db:
    image: postgres:16
    environment: {POSTGRES_USER: u, POSTGRES_PASSWORD: hunter2secret}
    volumes: ['db:/var/lib/postgresql/data']
"""
FILES = {"app/compose.yaml": DEFINITION.encode()}


def compare(**changed: Any) -> list[str]:
    """Compare the definition with what is published of it, settings of its service `web` changed beforehand."""
    (entry,) = import_collection(FILES, source="acme", kind=SourceFormat.COMPOSE).items
    source: dict[str, Mapping[str, Any]] = dict(read_source(SourceFormat.COMPOSE, FILES, "app"))
    source["web"] = {**source["web"], **changed}
    return list_differences(source, entry.item)


def test_what_is_published_is_what_its_source_has() -> None:
    assert compare() == []


@pytest.mark.parametrize(
    "changed",
    [
        {"image": "acme/web:2"},
        {"command": "run"},
        {"entrypoint": ["sh"]},
        {"user": "1000"},
        {"environment": {"MODE": "prod"}},
        {"environment": {"MODE": "test", "DB": "x", "URL": "y", "MORE": "1"}},
        {"ports": ["8080:80"]},
        {"volumes": ["./data:/other"]},
        {"depends_on": []},
    ],
)
def test_a_difference_is_found(changed: dict[str, Any]) -> None:
    assert compare(**changed)
