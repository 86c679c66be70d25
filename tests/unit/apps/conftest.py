"""The service of apps for the tests of its RPCs: a real database, the real engine, and containers in memory."""

from __future__ import annotations

from tests.fakes.apps_platform import platform
from tests.fakes.apps_service import service
from tests.store.apps_db import db

__all__ = ["db", "platform", "service"]
