"""A real server of auth on a migrated SQLite database of its own, for the tests of its RPCs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.databases import copy_sqlite
from tests.fakes.auth_server import Client, make_settings, run
from tests.store.nats_server import nats

__all__ = ["nats"]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A folder with an empty database, for `make_settings`."""
    copy_sqlite("auth", tmp_path)
    return tmp_path


@pytest.fixture
async def client(state: Path) -> AsyncIterator[Client]:
    settings = make_settings(
        state,
        PUBLIC_URL="https://proximity.example.org/",
        CORS_ALLOWED_ORIGINS="https://console.example.org",
    )
    async with run(settings) as running:
        yield running
