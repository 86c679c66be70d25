"""A database for the suites of backups: SQLite and a real PostgreSQL, its tables made by the migrations, once."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from services.common.db.database import Database
from tests.databases import open_copy


@pytest.fixture(params=["sqlite", "postgresql"])
async def db(request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    async with open_copy("backups", request) as database:
        yield database
