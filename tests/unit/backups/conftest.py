"""The service of backups on both databases."""

from __future__ import annotations

import pytest

from services.common.db.database import Database
from tests.store.backups_db import db
from tests.unit.backups.platform import Platform, build_platform

__all__ = ["db"]


@pytest.fixture
def platform(db: Database) -> Platform:
    return build_platform(db)
