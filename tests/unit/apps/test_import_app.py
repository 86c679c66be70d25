"""The workflow import_app: apps of an earlier platform."""

from __future__ import annotations

import pytest

from deploy.import_django.apps import begin_import
from services.apps.domain.entities import App
from services.apps.store.tables import operation_tables
from services.apps.usecases.reconcile_apps import reconcile_apps
from services.clients.inventory.values import Ref
from services.common.core.clock import now
from services.common.core.errors import DomainError, NotFoundError, PreconditionError, WaitingError
from tests.fakes.apps_platform import Platform


class RefusedError(WaitingError, PreconditionError):
    """As inventory refuses while an administrator has something to do."""


class NoHostError(NotFoundError):
    """As inventory answers for a host that is not registered."""

    reason = "HOST_NOT_FOUND"


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
    assert found.internal_port == 80  # which the container says, not the old system
    assert platform.containers.containers[300].owner == app.id


async def test_an_imported_app_whose_container_is_gone_stays_and_says_so(platform: Platform) -> None:
    app = make_imported()
    assert await platform.store.add_app(app, begin_import(app, "running"))
    await platform.run()
    found = await platform.store.get_app(app.id)
    assert (found.status, found.vmid) == ("error", 300)
    assert "host 1 has no container 300" in found.error


@pytest.mark.parametrize(
    "hindrance",
    [
        RefusedError("rack refuses root@pam: authentication failure"),
        RefusedError("the host 'rack' is switched off"),
        NoHostError("there is no host 1"),
    ],
)
async def test_a_take_over_waits_for_its_host_and_goes_on_when_it_answers(
    platform: Platform, hindrance: DomainError
) -> None:
    platform.containers.add_container(Ref(1, 300, "pve1"), name="old-box", status="running")
    app = make_imported()
    assert await platform.store.add_app(app, begin_import(app, "running"))
    platform.containers.failure["get_container"] = hindrance
    await platform.run()
    operation = await platform.store.find_unfinished(app.id)
    assert operation is not None
    assert (operation.status, operation.waiting_for) == ("waiting", hindrance.message)
    assert (await platform.store.get_app(app.id)).status == "adopting"
    platform.containers.failure.clear()
    await end_waiting(platform)
    await platform.run()
    found = await platform.store.get_app(app.id)
    assert (found.status, found.error, found.internal_port) == ("running", "", 80)


async def end_waiting(platform: Platform) -> None:
    """Let the time pass that operations wait before their next attempt."""
    due = operation_tables.operations.update().values(not_before=now())
    await platform.database.write(lambda connection: connection.execute(due))


@pytest.mark.parametrize(("status", "port"), [("running", 80), ("stopped", None)])
async def test_reconciliation_takes_over_what_was_refused_before(
    platform: Platform, status: str, port: int | None
) -> None:
    app = make_imported()
    assert await platform.store.add_app(app, begin_import(app, "running"))
    await platform.run()
    assert (await platform.store.get_app(app.id)).status == "error"
    platform.containers.add_container(Ref(1, 300, "pve1"), name="old-box", status=status)
    (finding,) = (await reconcile_apps(platform.dependencies)).findings
    assert (finding.type, finding.app_id, finding.healed) == ("unmanaged", app.id, True)
    found = await platform.store.get_app(app.id)
    assert (found.status, found.error, found.conditions, found.internal_port) == (status, "", (), port)
    assert platform.containers.containers[300].owner == app.id
    assert (await reconcile_apps(platform.dependencies)).findings == ()


@pytest.mark.parametrize(("name", "owner"), [("somebody-elses", ""), ("old-box", "web-12345678")])
async def test_reconciliation_takes_over_no_container_of_somebody_else(
    platform: Platform, name: str, owner: str
) -> None:
    app = make_imported()
    assert await platform.store.add_app(app, begin_import(app, "running"))
    await platform.run()
    platform.containers.add_container(Ref(1, 300, "pve1"), name=name, owner=owner)
    findings = (await reconcile_apps(platform.dependencies)).findings
    assert ("unmanaged", False) in {(one.type, one.healed) for one in findings}
    assert (await platform.store.get_app(app.id)).status == "error"
    assert platform.containers.containers[300].owner == owner


async def test_a_refused_take_over_is_reported_and_repeated_by_the_next_reconciliation(
    platform: Platform,
) -> None:
    app = make_imported()
    assert await platform.store.add_app(app, begin_import(app, "running"))
    await platform.run()
    platform.containers.add_container(Ref(1, 300, "pve1"), name="old-box", status="running")
    platform.containers.failure["adopt_container"] = RefusedError("container 300 is locked (backup)")
    (finding,) = (await reconcile_apps(platform.dependencies)).findings
    assert (finding.type, finding.healed) == ("unmanaged", False)
    platform.containers.failure.clear()
    (finding,) = (await reconcile_apps(platform.dependencies)).findings
    assert finding.healed
    assert (await platform.store.get_app(app.id)).status == "running"


async def test_the_port_of_an_app_that_was_stopped_is_found_when_it_starts(platform: Platform) -> None:
    platform.containers.add_container(Ref(1, 300, "pve1"), name="old-box", status="stopped")
    app = make_imported()
    assert await platform.store.add_app(app, begin_import(app, "stopped"))
    await platform.run()
    found = await platform.store.get_app(app.id)
    assert (found.status, found.internal_port, found.url) == ("stopped", None, "")
    await platform.act(app.id, "start")
    await platform.run_to_the_end()
    found = await platform.store.get_app(app.id)
    assert (found.status, found.internal_port) == ("running", 80)
    assert found.url.endswith(":80")
