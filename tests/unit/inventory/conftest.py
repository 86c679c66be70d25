"""The inventory on a cluster in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.databases import copy_sqlite
from tests.fakes.inventory import InstantInventory, open_instant_inventory


@pytest.fixture
async def inventory(tmp_path: Path) -> AsyncIterator[InstantInventory]:
    copy_sqlite("inventory", tmp_path)
    opened = await open_instant_inventory(tmp_path / "p.sqlite3")
    yield opened
    await opened.parts.close()
