"""Apps as backups sees it: the fake and the real service behave the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from services.clients.apps.client import GrpcApps
from services.clients.apps.interface import Apps
from services.clients.apps.values import AppHold, AppProbeTarget, ProgressReport, RestoreBesideOrder
from services.common.core.errors import BusyError, NotFoundError
from services.common.db.database import Database, create_engine
from services.common.identity.tokens import User
from tests.contract.clients.wire import serve
from tests.databases import copy_sqlite
from tests.fakes.apps import APP, FakeApps
from tests.fakes.apps_platform import platform
from tests.fakes.apps_service import Service, service
from tests.fakes.containers import FakeContainers

__all__ = ["platform", "service"]

DESCRIPTOR = pb.DESCRIPTOR.services_by_name["AppsInternalService"]
REPORT = ProgressReport(
    progress=40, step="dump", description="Making the archive", step_index=1, step_count=4
)


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(create_engine(copy_sqlite("apps", tmp_path), service="apps"))
    yield database
    await database.close()


@dataclass
class Backend:
    """A client, a running app that it knows, and an archive of the app."""

    apps: Apps
    app: AppHold
    archive: str


async def make_real(service: Service, clients: GrpcApps) -> Backend:
    app = await service.platform.deploy()
    await service.platform.run()
    app = await service.platform.store.get_app(app.id)
    hold = AppHold(
        app_id=app.id,
        name=app.name or app.hostname,
        status="running",
        host_id=app.host_id or 0,
        vmid=app.vmid or 0,
        node=app.node,
        owner_id=app.owner_id,
        created_at=app.created_at,
        runtime=app.runtime,
        probe=AppProbeTarget(scheme="http", port=app.port or 0, path="/", grace_s=1),
        settled_status="running",
    )
    containers: FakeContainers = service.platform.containers
    return Backend(clients, hold, containers.archive(hold.vmid))


@pytest.fixture(params=["fake", "real"])
async def backend(request: pytest.FixtureRequest, tmp_path: Path, service: Service) -> AsyncIterator[Backend]:
    if request.param == "fake":
        yield Backend(FakeApps(), APP, "local:backup/a")
        return
    async with serve(tmp_path, DESCRIPTOR, service.internal, callers=["backups"]) as clients:
        yield await make_real(service, GrpcApps(clients["backups"]))


async def test_an_app_is_described_to_its_owner_only(backend: Backend) -> None:
    app = backend.app
    assert await backend.apps.get_app_hold(app.app_id, user_id=None) == app
    assert await backend.apps.get_app_hold(app.app_id, user_id=app.owner_id) == app
    with pytest.raises(NotFoundError, match=app.app_id):
        await backend.apps.get_app_hold(app.app_id, user_id=app.owner_id + 1)
    with pytest.raises(NotFoundError, match="none-00000000"):
        await backend.apps.get_app_hold("none-00000000", user_id=None)


async def test_an_app_in_error_is_described_with_what_it_was_before(backend: Backend) -> None:
    apps, app_id = backend.apps, backend.app.app_id
    await apps.begin_operation(app_id, "a" * 32, kind="restore")
    await apps.finish_operation(app_id, "a" * 32, succeeded=False, message="broken", status="error")
    for hold in (
        await apps.get_app_hold(app_id, user_id=None),
        await apps.begin_operation(app_id, "b" * 32, kind="restore"),
    ):
        assert (hold.status, hold.settled_status) == ("error", "running")


async def test_one_operation_locks_an_app_until_it_is_finished(backend: Backend) -> None:
    apps, app_id = backend.apps, backend.app.app_id
    user = User(backend.app.owner_id, "olga", is_staff=False)
    first = await apps.begin_operation(app_id, "a" * 32, kind="backup", user=user)
    assert (first.operation_id, first.status) == ("a" * 32, "running")
    assert await apps.begin_operation(app_id, "a" * 32, kind="backup") == first
    assert (await apps.get_app_hold(app_id, user_id=None)).operation_id == "a" * 32
    with pytest.raises(BusyError):
        await apps.begin_operation(app_id, "b" * 32, kind="restore", made_by="a" * 32)
    await apps.report_operation(app_id, "a" * 32, report=REPORT)
    await apps.finish_operation(app_id, "a" * 32, succeeded=True, message="done")
    assert (await apps.get_app_hold(app_id, user_id=None)).operation_id == ""
    await apps.begin_operation(app_id, "b" * 32, kind="restore", made_by="a" * 32)


@pytest.mark.parametrize(("succeeded", "standing"), [(True, "succeeded"), (False, "failed")])
async def test_the_standing_of_an_operation_is_known(
    backend: Backend, succeeded: bool, standing: str
) -> None:
    apps, app_id = backend.apps, backend.app.app_id
    assert await apps.get_operation_standing("a" * 32) == "unknown"
    await apps.begin_operation(app_id, "a" * 32, kind="backup")
    assert await apps.get_operation_standing("a" * 32) == "unfinished"
    await apps.finish_operation(app_id, "a" * 32, succeeded=succeeded, message="")
    assert await apps.get_operation_standing("a" * 32) == standing


async def test_an_app_is_probed_for_the_operation_that_locks_it(backend: Backend) -> None:
    apps, app_id = backend.apps, backend.app.app_id
    await apps.begin_operation(app_id, "a" * 32, kind="restore")
    assert (await apps.probe_app(app_id, "a" * 32)).answered


async def test_only_apps_that_do_not_exist_are_removed(backend: Backend) -> None:
    found = await backend.apps.find_removed_apps([backend.app.app_id, "none-00000000"])
    assert list(found) == ["none-00000000"]
    assert list(await backend.apps.find_removed_apps([])) == []


async def test_a_restore_beside_makes_one_app_for_its_user(backend: Backend) -> None:
    user = User(backend.app.owner_id, "olga", is_staff=False)
    order = RestoreBesideOrder("c" * 32, backend.app.app_id, backend.archive, "web-02")
    assert list(await backend.apps.check_restore_beside(order, user=user)) == []
    started = await backend.apps.restore_beside(order, user=user)
    assert started.app_id != backend.app.app_id
    assert "web-02" in started.message
    assert (await backend.apps.restore_beside(order, user=user)).app_id == started.app_id
    assert await backend.apps.get_operation_standing("c" * 32) == "unfinished"
