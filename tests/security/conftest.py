"""Somebody's app on the platform, and everybody who would like to have it."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from proximity.apps.v1 import apps_service_pb2
from proximity.apps.v1.apps_service_pb2_grpc import AppsInternalServiceStub

from deploy.local.api import Api
from services.common.identity.keys import ServiceSigner, read_service_keys
from services.common.identity.tokens import User
from services.registry import SERVICES
from tests.e2e.stack import RunningStack
from tests.security.principals import Principal, make_people, make_services, register, sign_in

LIMIT_S = 300.0
START_S = 300  # whoever comes first waits for the whole platform


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give time to the tests of this folder that may have to start the platform."""
    for item in items:
        if Path(__file__).parent in item.path.parents and "stack" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(START_S))


@dataclass(frozen=True)
class Estate:
    """What an owner has: an app that an operation holds, so that nothing changes it, and a protected backup."""

    owner_id: int
    app_id: str
    operation_id: str
    backup_id: int

    @property
    def names(self) -> dict[str, object]:
        """Values of request fields that name it."""
        return {
            "app_id": self.app_id,
            "operation_id": self.operation_id,
            "backup_id": self.backup_id,
        }


@dataclass(frozen=True)
class Platform:
    """The stack with its people and channels past the gateway."""

    stack: RunningStack
    estate: Estate
    principals: tuple[Principal, ...]
    channels: dict[str, grpc.Channel]


def deploy(api: Api) -> str:
    """Deploy a small app and wait until it runs."""
    body = {"catalog_id": "adminer", "hostname": f"sec-{uuid.uuid4().hex[:8]}"}
    app_id = str(api.send("POST", "/apps", body, expect=201)["id"])
    api.wait_for_app(app_id, wanted="running", timeout=LIMIT_S, watch=lambda _: None)
    return app_id


def hold(stack: RunningStack, app_id: str, channel: grpc.Channel) -> str:
    """Hold an app as backups does; returns the id of the operation."""
    private, _ = read_service_keys(stack.state / "keys", "backups")
    metadata = (("authorization", f"Bearer {ServiceSigner('backups', private).sign('apps')}"),)
    operation_id = uuid.uuid4().hex
    request = apps_service_pb2.BeginOperationRequest(app_id=app_id, operation_id=operation_id, kind="backup")
    AppsInternalServiceStub(channel).BeginOperation(request, metadata=metadata, timeout=10)
    return operation_id


def make_estate(stack: RunningStack, owner_id: int, *, api: Api, channel: grpc.Channel) -> Estate:
    app_id = deploy(api)
    backup_id = int(api.send("POST", f"/apps/{app_id}/backups", {}, expect=202)["id"])
    api.wait_for_backup(app_id, backup_id, timeout=LIMIT_S)
    api.send("PATCH", f"/apps/{app_id}/backups/{backup_id}", {"protected": True})
    deadline = time.monotonic() + LIMIT_S
    while api.send("GET", f"/apps/{app_id}")["status"] != "running":
        assert time.monotonic() < deadline, "the app was not given back after its backup"
        time.sleep(0.1)
    return Estate(owner_id, app_id, hold(stack, app_id, channel), backup_id)


@pytest.fixture(scope="session")
def platform(stack: RunningStack) -> Iterator[Platform]:
    """The stack, an estate, and everybody."""
    sockets = json.loads((stack.state / "run.json").read_text())["sockets"]
    channels = {name: grpc.insecure_channel(f"unix:{sockets[name]}") for name in SERVICES}
    owner, owner_api = register(stack)
    admin = sign_in(stack)["user"]
    acting = User(admin["id"], admin["username"], is_staff=True)
    people = make_people(stack, owner, owner_api)
    estate = make_estate(stack, owner["user"]["id"], api=owner_api, channel=channels["apps"])
    yield Platform(stack, estate, (*people, *make_services(stack.state / "keys", acting)), channels)
    for channel in channels.values():
        channel.close()
