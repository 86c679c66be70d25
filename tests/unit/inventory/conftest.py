"""The inventory on a cluster in memory."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.common.db.migrations import upgrade
from tests.fakes.inventory import InstantInventory, open_instant_inventory


@pytest.fixture(scope="session")
def inventory_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with the inventory's tables, to be copied."""
    file = tmp_path_factory.mktemp("inventory") / "p.sqlite3"
    upgrade(f"sqlite:///{file}", "inventory")
    found = sorted(file.parent.glob("*.sqlite3"))
    return found[0]


@pytest.fixture
async def inventory(inventory_tables: Path, tmp_path: Path) -> AsyncIterator[InstantInventory]:
    shutil.copy(inventory_tables, tmp_path / inventory_tables.name)
    opened = await open_instant_inventory(tmp_path / "p.sqlite3")
    yield opened
    await opened.parts.close()
