"""A real server of auth on a migrated SQLite database of its own, for the tests of its RPCs."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.common.db.migrations import upgrade
from tests.fakes.auth_server import Client, make_settings, run
from tests.store.nats_server import nats

__all__ = ["nats"]


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("auth")
    upgrade(f"sqlite:///{folder}/p.sqlite3", "auth")
    return folder / "p-auth.sqlite3"


@pytest.fixture
def state(migrated: Path, tmp_path: Path) -> Path:
    """A folder with an empty database, for `make_settings`."""
    shutil.copy(migrated, tmp_path)
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
