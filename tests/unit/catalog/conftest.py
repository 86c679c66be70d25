"""Replicas of the catalog over SQLite: one with a sample item, one with our own items."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.catalog.commands import check_folder
from services.catalog.config import DATA
from services.catalog.domain.search.catalog_index import CatalogIndex
from services.common.db.database import Database
from tests.fakes.catalog_replica import CatalogReplica, FixedCatalog
from tests.store.catalog_db import open_sqlite
from tests.unit.catalog.samples import ITEM


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    database = open_sqlite(tmp_path)
    yield database
    await database.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the file of one item."""
    path = tmp_path / "data"
    path.mkdir()
    (path / "sample.yaml").write_text(ITEM)
    return path


@pytest.fixture
def replica(db: Database, folder: Path) -> CatalogReplica:
    """A replica to which nothing is published yet."""
    return CatalogReplica(db, folder)


@pytest.fixture(scope="session")
def own_index() -> CatalogIndex:
    """Our own items; parsing them takes a second, so that all tests share them."""
    return CatalogIndex(check_folder(DATA)[0])


@pytest.fixture
def own(db: Database, own_index: CatalogIndex) -> CatalogReplica:
    """A replica with our own items."""
    return CatalogReplica(db, DATA, catalog=FixedCatalog(own_index))
