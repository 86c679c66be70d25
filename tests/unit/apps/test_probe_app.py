"""ProbeApp: whether an app answers, and at what address, for the operation that locks it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from services.apps.domain.changes import Change, ChangeApp
from services.apps.domain.entities import App
from services.apps.domain.errors import AppStateError
from services.apps.domain.probe import GRACE_S, find_target
from services.apps.domain.rendering import AppRendering
from services.apps.usecases.probe_app import probe_app
from services.clients.catalog.values import ItemProbe
from services.clients.inventory.values import Container
from services.common.operations.model import Operation
from tests.fakes.containers import FakeContainers

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
APP = App(
    id="web-1",
    catalog_id="web",
    name="web",
    hostname="web",
    status="restoring",
    host_id=1,
    node="pve1",
    vmid=105,
    owner_id=7,
    runtime="adopted",
    internal_port=80,
    address="10.99.0.155",
    created_at=MOMENT,
    updated_at=MOMENT,
    state_changed_at=MOMENT,
)
CONTAINER = Container(
    host_id=1,
    vmid=105,
    node="pve1",
    name="web",
    status="running",
    address="10.99.0.77",
    owner="web-1",
)


@dataclass
class Apps:
    """One app that the operation `restoring` locks."""

    app: App = APP
    changes: list[Change] = field(default_factory=list)

    async def get_app(self, app_id: str) -> App:
        return self.app

    async def find_unfinished(self, app_id: str) -> Operation | None:
        return cast("Operation", SimpleNamespace(id="restoring"))

    async def report(self, operation_id: str, values: Mapping[str, Any], *changes: Change) -> bool:
        self.changes += changes
        return True


def make_containers(*, answers: bool = True, container: Container = CONTAINER) -> FakeContainers:
    containers = FakeContainers()
    containers.containers[105] = container
    containers.answers = answers
    return containers


@pytest.mark.parametrize("answers", [True, False])
async def test_the_address_is_refreshed_whether_the_port_answers_or_not(answers: bool) -> None:
    apps = Apps()
    answer = await probe_app(apps, make_containers(answers=answers), app_id="web-1", operation_id="restoring")
    assert (answer.answered, answer.port, answer.grace_s) == (answers, 80, GRACE_S)
    assert bool(answer.message) is not answers
    assert apps.changes == [ChangeApp("web-1", {"address": "10.99.0.77"})]


async def test_an_address_that_is_the_same_is_not_written() -> None:
    apps = Apps(replace(APP, address="10.99.0.77"))
    assert (await probe_app(apps, make_containers(), app_id="web-1", operation_id="restoring")).answered
    assert apps.changes == []


async def test_an_app_without_a_port_answers_when_it_has_an_address() -> None:
    apps = Apps(replace(APP, internal_port=None))
    assert (await probe_app(apps, make_containers(), app_id="web-1", operation_id="restoring")).answered
    silent = make_containers(container=replace(CONTAINER, address=""))
    answer = await probe_app(apps, silent, app_id="web-1", operation_id="restoring")
    assert (answer.answered, answer.message) == (False, "the container has no address yet")


async def test_only_the_operation_that_locks_the_app_asks() -> None:
    with pytest.raises(AppStateError, match="does not lock"):
        await probe_app(Apps(), make_containers(), app_id="web-1", operation_id="another")
    with pytest.raises(AppStateError, match="has no container"):
        await probe_app(
            Apps(replace(APP, vmid=None)), make_containers(), app_id="web-1", operation_id="restoring"
        )


def test_the_definition_says_what_to_ask_and_for_how_long() -> None:
    probe = ItemProbe(scheme="http", path="/up", grace_s=300, port=81)
    app = replace(APP, rendering=AppRendering(probe=probe))
    target = find_target(app)
    assert (target.scheme, target.port, target.path, target.grace_s) == ("http", 81, "/up", 300)
    assert (find_target(APP).scheme, find_target(APP).port) == ("tcp", 80)
