"""A database for the suites of apps: SQLite and a real PostgreSQL, their tables made by the migrations."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from services.common.db.database import Database
from tests.databases import open_copy


@pytest.fixture(params=["sqlite", "postgresql"])
async def db(request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    async with open_copy("apps", request) as database:
        yield database
