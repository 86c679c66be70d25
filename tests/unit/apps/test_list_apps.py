"""ListApps: which apps a user sees."""

from __future__ import annotations

import pytest

from services.apps.domain.entities import AppFilter
from services.apps.domain.errors import AppNotFoundError
from tests.fakes.apps_platform import Platform


async def test_somebody_elses_app_does_not_exist(platform: Platform) -> None:
    app = await platform.deploy(owner=1)
    with pytest.raises(AppNotFoundError):
        await platform.store.get_app(app.id, owner=2)
    assert await platform.store.list_stamps(AppFilter(owner_id=2), page=1, per_page=10) == ([], 0)
