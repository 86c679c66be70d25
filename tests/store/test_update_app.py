"""UpdateApp on both databases: only what the container has to follow becomes an operation."""

from __future__ import annotations

import pytest

from services.apps.domain.errors import AppBusyError
from services.common.core.errors import InvalidError
from tests.store.apps_db import db  # noqa: F401 - fixtures
from tests.store.apps_platform import platform  # noqa: F401 - a fixture
from tests.store.apps_service import Service, call, service  # noqa: F401 - fixtures
from tests.store.apps_updates import deploy_running, list_kinds, update


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"name": "web-01"},
        {"memory": 512},
        {"cores": 2, "memory": 512},
        {"environment": {"THEME": "dark"}},
        {"environment": {"PASSWORD": "********"}},
        {"name": "Other"},
        {"name": "Other", "memory": 512, "environment": {"THEME": "dark", "PASSWORD": "********"}},
    ],
    ids=str,
)
@pytest.mark.parametrize("is_busy", [False, True], ids=["stable", "busy"])
async def test_what_the_container_need_not_follow_is_no_operation(
    service: Service,  # noqa: F811
    fields: dict[str, object],
    is_busy: bool,
) -> None:
    app = await deploy_running(service)
    if is_busy:
        await service.platform.act(app.id, "restart")
    before = await service.platform.store.get_app(app.id)
    kinds = await list_kinds(service, app.id)
    answer = await update(service, app.id, **fields)
    after = await service.platform.store.get_app(app.id)
    assert answer.name == fields.get("name", before.name) == after.name
    assert (answer.status, after.status) == (before.status, before.status)
    assert await list_kinds(service, app.id) == kinds
    assert (after.updated_at == before.updated_at) == (after.name == before.name)
    await service.platform.run()
    assert (await service.platform.store.get_app(app.id)).status == "running"


async def test_a_mixed_change_sets_the_name_and_has_the_container_follow_the_rest(
    service: Service,  # noqa: F811
) -> None:
    app = await deploy_running(service)
    answer = await update(
        service,
        app.id,
        name="Both",
        cores=2,
        memory=1024,
        environment={"THEME": "light", "PASSWORD": "********"},
    )
    assert (answer.name, answer.status) == ("Both", "updating")
    operation = await service.platform.store.find_unfinished(app.id)
    assert operation is not None
    await service.platform.run()
    after = await service.platform.store.get_app(app.id)
    assert (after.name, after.status, after.config["memory"], after.config["cores"]) == (
        "Both",
        "running",
        1024,
        2,
    )
    assert (after.environment["THEME"], after.environment["PASSWORD"]) == ("light", "s3cret'x")
    assert service.platform.containers.containers[9000].memory == 1024 * 1024**2


async def test_the_name_stays_when_the_rest_of_a_change_fails(service: Service) -> None:  # noqa: F811
    app = await deploy_running(service)
    service.platform.containers.answers = False
    await update(service, app.id, name="Both", environment={"THEME": "light"})
    await service.platform.run_to_the_end()
    after = await service.platform.store.get_app(app.id)
    assert (after.name, after.environment["THEME"]) == ("Both", "dark")


async def test_a_mixed_change_of_a_busy_app_changes_nothing(service: Service) -> None:  # noqa: F811
    app = await deploy_running(service)
    await service.platform.act(app.id, "restart")
    with pytest.raises(AppBusyError):
        await update(service, app.id, name="Both", memory=1024)
    after = await service.platform.store.get_app(app.id)
    assert (after.name, after.config["memory"]) == ("web-01", 512)


@pytest.mark.parametrize(
    ("fields", "named"),
    [({"disk": 1}, "disk"), ({"unset": ["NO_SUCH"]}, "environment.NO_SUCH")],
    ids=str,
)
async def test_a_wrong_value_beside_a_name_changes_nothing(
    service: Service,  # noqa: F811
    fields: dict[str, object],
    named: str,
) -> None:
    app = await deploy_running(service)
    with pytest.raises(InvalidError, match=named):
        await update(service, app.id, name="Other", **fields)
    assert (await service.platform.store.get_app(app.id)).name == "web-01"
