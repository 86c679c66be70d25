"""The steps that an operation shows: those that its app has something to do in, and no others."""

# ruff: noqa: F811 - parameters are named like the fixtures they take

from __future__ import annotations

import pytest
import sqlalchemy as sa

from services.apps.domain.errors import StepFailedError
from services.apps.store.tables import operation_tables
from services.apps.usecases.clone_app import clone_app
from tests.fakes.app_updates import deploy_running, update
from tests.fakes.app_upgrades import deploy, upgrade
from tests.fakes.apps_platform import Platform, asked, platform  # noqa: F401 - fixtures
from tests.fakes.apps_service import Service, service  # noqa: F401 - fixtures
from tests.store.apps_db import db  # noqa: F401 - fixture

DOCKER = ["install_docker", "push_compose", "pull_images", "compose_up"]
DEPLOY = ["reserve_vmid", "create_container", "start_container", *DOCKER, "probe"]
DEPLOY_IMAGE = ["reserve_vmid", "pull_oci_image", "create_container", "start_container", "probe"]


async def list_steps(platform: Platform, app_id: str) -> list[str]:
    """List the steps of the newest operation on an app; all of them are done."""
    (newest, *_), _ = await platform.store.list_operations(app_id, page=1, per_page=1)
    if newest.finished_at is not None:
        assert (newest.status, {step.status for step in newest.steps}) == ("succeeded", {"done"})
    return [step.name for step in newest.steps]


@pytest.mark.parametrize(("runtime", "steps"), [("compose", DEPLOY), ("oci", DEPLOY_IMAGE)])
async def test_a_deployment_shows_the_steps_of_its_runtime(
    platform: Platform, runtime: str, steps: list[str]
) -> None:
    app = await platform.deploy(runtime=runtime)
    assert await list_steps(platform, app.id) == steps
    await platform.run()
    assert await list_steps(platform, app.id) == steps
    assert (await platform.store.get_app(app.id)).status == "running"


async def test_an_image_that_gives_way_to_compose_gets_its_steps(platform: Platform) -> None:
    platform.catalog.runtimes = ("oci", "compose")
    platform.containers.unpullable = StepFailedError("no such manifest")
    app = await platform.deploy()
    assert await list_steps(platform, app.id) == DEPLOY_IMAGE
    await platform.run()
    assert (await platform.store.get_app(app.id)).runtime == "compose"
    assert await list_steps(platform, app.id) == [DEPLOY[0], "pull_oci_image", *DEPLOY[1:]]


@pytest.mark.parametrize(
    ("runtime", "was_running", "steps"),
    [
        ("oci", True, ["pull_images", "back_up", "bring_up", "probe"]),
        ("oci", False, ["pull_images", "back_up", "bring_up", "probe", "settle"]),
        (
            "compose",
            True,
            [
                "start_container",
                "pull_images",
                "back_up",
                "take_snapshot",
                "bring_up",
                "probe",
                "drop_snapshot",
            ],
        ),
    ],
)
async def test_an_upgrade_shows_what_the_app_needs(
    platform: Platform, runtime: str, was_running: bool, steps: list[str]
) -> None:
    app = await deploy(platform, runtime=runtime)
    if not was_running:
        await platform.act(app.id, "stop")
        await platform.run()
    await upgrade(platform, app)
    assert await list_steps(platform, app.id) == steps


@pytest.mark.parametrize(
    ("fields", "steps"),
    [
        ({"memory": 1024}, ["configure_container"]),
        ({"disk": 40}, ["take_snapshot", "configure_container", "drop_snapshot"]),
        (
            {"environment": {"THEME": "light"}},
            ["take_snapshot", "configure_container", "apply_environment", "probe", "drop_snapshot"],
        ),
    ],
    ids=["memory", "disk", "environment"],
)
async def test_a_change_shows_what_it_needs(
    service: Service, fields: dict[str, object], steps: list[str]
) -> None:
    app = await deploy_running(service)
    await update(service, app.id, **fields)
    await service.platform.run()
    assert await list_steps(service.platform, app.id) == steps


@pytest.mark.parametrize("must_stop", [False, True])
async def test_a_copy_shows_that_its_source_is_started_only_when_it_was_stopped(
    platform: Platform, must_stop: bool
) -> None:
    source = await platform.deploy()
    await platform.run()
    platform.containers.can_snapshot = not must_stop
    source = await platform.store.get_app(source.id)
    copy = (await clone_app(platform.dependencies, source.id, requester=asked(), hostname="web-02")).app
    planned = ["reserve_vmid", "clone_container", "start_container", "push_compose", "compose_up", "probe"]
    assert await list_steps(platform, copy.id) == planned
    await platform.run()
    inserted = ["start_source"] if must_stop else []
    assert await list_steps(platform, copy.id) == [*planned[:2], *inserted, *planned[2:]]
    assert {one.status for one in platform.containers.containers.values()} == {"running"}


async def test_an_operation_that_an_earlier_release_recorded_ends(platform: Platform) -> None:
    """It has every step, and its state does not say the runtime."""
    app = await platform.deploy(runtime="oci")
    ops, steps = operation_tables.operations, operation_tables.steps
    recorded = ["reserve_vmid", "pull_oci_image", *DEPLOY[1:]]

    def rewrite(connection: sa.Connection) -> None:
        row = connection.execute(sa.select(ops).where(ops.c.subject == app.id)).one()
        state = {name: value for name, value in row.state.items() if name not in {"runtime", "has_port"}}
        connection.execute(ops.update().where(ops.c.id == row.id).values(state=state, step_count=9))
        connection.execute(steps.delete().where(steps.c.operation_id == row.id))
        fixed = {"operation_id": row.id, "status": "pending", "attempts": 0, "message": "", "upids": []}
        rows = [
            {**fixed, "position": at, "name": name, "description": name} for at, name in enumerate(recorded)
        ]
        connection.execute(steps.insert(), rows)

    await platform.database.write(rewrite)
    await platform.run()
    app = await platform.store.get_app(app.id)
    assert (app.status, app.runtime) == ("running", "oci")
    assert await list_steps(platform, app.id) == recorded
