"""Handlers of the apps service over the platform of `apps_platform`."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from google.protobuf import json_format
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.events.hub import EventHub
from services.apps.events.stream import Watcher
from services.apps.handlers import AppsHandlers, AppsInternalHandlers
from services.apps.handlers.app_renderer import AppRenderer
from services.apps.store.tables import outbox
from services.apps.usecases.catalog_updates import CatalogUpdates
from services.apps.usecases.container_metrics import ContainerMetrics
from services.clients.auth.values import Quota
from services.common.db.database import Database
from services.common.identity.tokens import Caller, User
from services.common.messaging.bus import Bus
from services.common.messaging.outbox import Relay
from services.common.rpc.call import Call
from tests.fakes.apps_platform import Platform
from tests.fakes.terminals import FakeTerminals


@dataclasses.dataclass
class SameQuota:
    """One quota for all users; implements `Quotas`."""

    quota: Quota

    async def get_quota(self, user_id: int) -> Quota:
        return self.quota


@dataclasses.dataclass
class Service:
    platform: Platform
    api: AppsHandlers
    internal: AppsInternalHandlers
    updates: CatalogUpdates
    terminals: FakeTerminals

    def set_orphan_grace(self, grace: timedelta) -> None:
        """Set for how long containers must have been seen before they may be destroyed."""
        dependencies = dataclasses.replace(self.platform.dependencies, orphan_grace=grace)
        self.api = dataclasses.replace(self.api, dependencies=dependencies)

    def set_quota(self, quota: Quota) -> None:
        """Give every user a quota."""
        dependencies = dataclasses.replace(self.platform.dependencies, quotas=SameQuota(quota))
        self.api = dataclasses.replace(self.api, dependencies=dependencies)

    async def deploy(self, hostname: str = "web-01", *, user: int = 1, **fields: object) -> pb.App:  # type: ignore[name-defined]
        request = pb.DeployAppRequest(catalog_id="adminer", hostname=hostname)
        json_format.ParseDict(fields, request)
        return await self.api.deploy_app(request, call(user))


def call(user: int = 1, *, staff: bool = False) -> Call:
    return Call("/x", {}, caller=Caller(user=User(user, f"u{user}", staff)))


def inner() -> Call:
    return Call("/x", {}, caller=Caller(service="backups"))


@pytest.fixture
async def service(platform: Platform, db: Database) -> AsyncIterator[Service]:
    bus = Bus("nats://127.0.0.1:1", name="test")
    relay = Relay(db, bus, outbox=outbox)
    watcher = Watcher(platform.store, bus)
    updates = CatalogUpdates(platform.catalog)
    renderer = AppRenderer(platform.store, updates)
    hub = EventHub(platform.store, bus, render_app=renderer.render_app, ping_s=0.2, pulse_s=0.05)
    terminals = FakeTerminals()
    watching = [asyncio.create_task(each.run()) for each in (watcher, hub)]
    yield Service(
        platform,
        AppsHandlers(
            dependencies=platform.dependencies,
            relay=relay,
            renderer=renderer,
            watcher=watcher,
            hub=hub,
            metrics=ContainerMetrics(platform.containers),
            terminals=terminals,
        ),
        AppsInternalHandlers(dependencies=platform.dependencies, relay=relay),
        updates,
        terminals,
    )
    for task in watching:
        task.cancel()
