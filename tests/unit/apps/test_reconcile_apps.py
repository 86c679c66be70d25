"""ReconcileApps: apps compared with the containers of the hosts that answer."""

from __future__ import annotations

import dataclasses

from services.apps.usecases.reconcile_apps import Reconciler
from services.clients.inventory.values import Ref
from tests.fakes.apps_platform import Platform
from tests.fakes.apps_service import Service, call
from tests.fakes.unmanaged_apps import (
    RECONCILE,
    deploy_running,
)


async def test_reconcile_believes_only_hosts_that_answer(platform: Platform) -> None:
    app = await platform.deploy()
    await platform.run()
    reconciler = Reconciler(platform.store, platform.containers)
    await platform.containers.stop_container(Ref(1, 9000, "pve1"), owner=app.id)
    platform.containers.complete = False
    assert (await reconciler.reconcile()).skipped == (1,)
    assert (await platform.store.get_app(app.id)).status == "running"
    platform.containers.complete = True
    result = await reconciler.reconcile()
    assert [item.type for item in result.findings] == ["stopped_outside"]
    assert (await platform.store.get_app(app.id)).status == "stopped"


async def test_an_app_is_missing_only_when_two_complete_scans_say_so(platform: Platform) -> None:
    app = await platform.deploy()
    await platform.run()
    reconciler = Reconciler(platform.store, platform.containers)
    container = platform.containers.containers.pop(9000)
    for is_complete in (True, False):
        platform.containers.complete = is_complete
        found = (await reconciler.reconcile()).findings
        assert [item.type for item in found] == ["missing"] * is_complete
        assert (await platform.store.get_app(app.id)).conditions == ()
    platform.containers.complete = True
    await reconciler.reconcile()
    (condition,) = (await platform.store.get_app(app.id)).conditions
    assert (condition.type, condition.message) == ("missing", "container 9000 of host 1 is gone")
    platform.containers.containers[9000] = container
    assert (await reconciler.reconcile()).findings == ()
    assert (await platform.store.get_app(app.id)).conditions == ()


async def test_who_asks_for_reconciliation_gets_both_scans_at_once(platform: Platform) -> None:
    app = await platform.deploy()
    await platform.run()
    platform.containers.containers.pop(9000)
    await Reconciler(platform.store, platform.containers).reconcile(look_again=True)
    (condition,) = (await platform.store.get_app(app.id)).conditions
    assert condition.type == "missing"


async def test_an_app_that_was_moved_gets_its_node(service: Service) -> None:
    app = await deploy_running(service)
    held = service.platform.containers.containers
    held[app.vmid or 0] = dataclasses.replace(held[app.vmid or 0], node="pve3")
    found = await service.api.reconcile_apps(RECONCILE, call(staff=True))
    assert [(one.type, one.healed) for one in found.findings] == [("drifted", True)]
    assert (await service.platform.store.get_app(app.id)).node == "pve3"
