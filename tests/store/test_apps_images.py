"""Apps that are an image: what becomes of them when it is not to be had."""

# ruff: noqa: F811 - parameters are named like the fixtures they take

from __future__ import annotations

import pytest
import sqlalchemy as sa

from services.apps.domain.errors import StepFailedError
from services.apps.store.tables import upgrades
from services.common.core.errors import DomainError, PreconditionError
from tests.fakes.apps_platform import Platform, platform  # noqa: F401 - fixtures
from tests.store.apps_db import db  # noqa: F401 - fixture


@pytest.mark.parametrize(
    "error", [StepFailedError("no such manifest"), PreconditionError("no skopeo")], ids=["task", "refusal"]
)
async def test_an_image_that_is_not_to_be_had_runs_with_compose_unless_asked_otherwise(
    platform: Platform, error: DomainError
) -> None:
    platform.catalog.runtimes = ("oci", "compose")
    platform.containers.unpullable = error
    app = await platform.deploy()
    assert app.runtime == "oci"
    await platform.run()
    app = await platform.store.get_app(app.id)
    assert (app.status, app.runtime, app.config.runtime, app.published) == (
        "running",
        "compose",
        "compose",
        True,
    )
    assert (app.port, app.rendering.mounts) == (app.public_port, ())
    assert f"{app.public_port}:8080" in platform.containers.files[9000, "/opt/proximity/compose.yaml"]
    assert 9000 not in platform.containers.images
    logs, _ = await platform.store.list_logs(app.id, limit=100)
    assert any("It runs with Docker Compose: the image could not" in line.message for line in logs)
    tries = sum(error.message in line.message for line in logs)
    assert tries == (3 if isinstance(error, StepFailedError) else 1)

    app = await platform.deploy("web-02", runtime="oci")
    await platform.run()
    app = await platform.store.get_app(app.id)
    assert (app.status, app.runtime) == ("error", "oci")
    assert error.message in app.error
    kept = sa.select(sa.func.count()).select_from(upgrades)
    assert await platform.database.read(lambda connection: connection.execute(kept).scalar_one()) == 0
