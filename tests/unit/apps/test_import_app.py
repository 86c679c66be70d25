"""The workflow import_app: apps of an earlier platform."""

from __future__ import annotations

import pytest

from deploy.import_django.apps import begin_import
from services.apps.domain.entities import App
from services.clients.inventory.values import Ref
from services.common.core.clock import now
from tests.fakes.apps_platform import Platform


def make_imported(error: str = "") -> App:
    return App(
        id="nginx-0000000f",
        catalog_id="nginx",
        name="old",
        hostname="old-box",
        status="adopting",
        host_id=1,
        node="elsewhere",
        vmid=300,
        owner_id=1,
        runtime="adopted",
        adopted=True,
        error=error,
        created_at=now(),
        updated_at=now(),
        state_changed_at=now(),
    )


@pytest.mark.parametrize(("before", "after"), [("stopped", "running"), ("error", "error")])
async def test_the_container_of_an_imported_app_is_marked_and_says_how_it_is(
    platform: Platform, before: str, after: str
) -> None:
    platform.containers.add_container(Ref(1, 300, "pve1"), name="old-box", status="running")
    app = make_imported("its reason" if before == "error" else "")
    assert await platform.store.add_app(app, begin_import(app, before))
    await platform.run()
    found = await platform.store.get_app(app.id)
    assert (found.status, found.node, found.error) == (after, "pve1", app.error)
    assert platform.containers.containers[300].owner == app.id


async def test_an_imported_app_whose_container_is_gone_stays_and_says_so(platform: Platform) -> None:
    app = make_imported()
    assert await platform.store.add_app(app, begin_import(app, "running"))
    await platform.run()
    found = await platform.store.get_app(app.id)
    assert (found.status, found.vmid) == ("error", 300)
    assert "host 1 has no container 300" in found.error
