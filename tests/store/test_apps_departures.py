"""What becomes of the apps of users who may not sign in any more, on both databases."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa
from proximity.auth.v1 import events_pb2

from services.apps.domain.changes import RemoveApp
from services.apps.domain.errors import AppNotFoundError
from services.apps.jobs import USER_DEACTIVATED, follow_departures
from services.apps.store.tables import inbox, operation_tables, outbox, removed_apps
from services.apps.usecases.clone_app import clone_app
from services.apps.usecases.dependencies import Requester
from services.common.db.database import Database
from services.common.messaging.bus import Bus, Message
from services.common.messaging.outbox import Relay
from tests.fakes.apps_platform import Platform, platform  # noqa: F401 - a fixture
from tests.store.apps_db import db  # noqa: F401 - fixture
from tests.store.nats_server import nats

__all__ = ["nats"]

ops = operation_tables.operations


async def test_deployments_of_a_deactivated_user_are_stopped_and_leave_no_container(
    platform: Platform,  # noqa: F811 - the fixture
) -> None:
    there = await platform.deploy("there-1", owner=2)
    await platform.run()
    queued = await platform.deploy("queued-1", owner=2)
    copied = (
        await clone_app(platform.dependencies, there.id, requester=Requester("c" * 32, 2), hostname="copy-1")
    ).app
    mine = await platform.deploy("mine-1", owner=1)
    done = await platform.store.release_user(2, apps_to=None)
    assert (done.stopped, done.moved) == (2, 0)
    await platform.run_to_the_end()
    for gone in (queued, copied):
        app = await platform.store.get_app(gone.id)
        assert (app.status, app.vmid) == ("error", None)
    assert (await platform.store.get_app(there.id)).owner_id == 2
    assert (await platform.store.get_app(mine.id)).status == "running"
    assert (await platform.store.release_user(2, apps_to=None)).stopped == 0


async def test_apps_are_handed_over_and_what_runs_goes_on(
    platform: Platform,  # noqa: F811 - the fixture
) -> None:
    there = await platform.deploy("there-1", owner=2)
    await platform.run()
    begun = await platform.deploy("begun-1", owner=2)
    assert await platform.operations.claim_next("elsewhere") is not None
    queued = await platform.deploy("queued-1", owner=2)
    before = (await platform.store.get_stamp(there.id, owner=None)).stamp
    done = await platform.store.release_user(2, apps_to=1)
    assert (done.stopped, done.moved) == (1, 3)
    for app_id in (there.id, begun.id):
        assert (await platform.store.get_app(app_id, owner=1)).owner_id == 1
        with pytest.raises(AppNotFoundError):
            await platform.store.get_app(app_id, owner=2)
    assert (await platform.store.get_stamp(there.id, owner=1)).stamp != before
    cancelled = sa.select(ops.c.subject).where(ops.c.cancel_requested)
    found = await platform.database.read(lambda connection: connection.execute(cancelled).scalars().all())
    assert found == [queued.id]
    again = await platform.store.release_user(2, apps_to=1)
    assert (again.stopped, again.moved) == (0, 0)


async def test_removed_apps_are_handed_over_for_their_backups(
    platform: Platform,  # noqa: F811 - the fixture
) -> None:
    app = await platform.deploy("gone-1", owner=2)
    await platform.run()
    await platform.store.change(RemoveApp(app.id))
    await platform.store.release_user(2, apps_to=1)
    query = sa.select(removed_apps.c.record)
    record = await platform.database.read(lambda connection: connection.execute(query).scalar_one())
    assert (record["id"], record["owner_id"]) == (app.id, 1)


async def test_the_event_of_auth_hands_the_apps_over(
    platform: Platform,  # noqa: F811 - the fixture
    db: Database,  # noqa: F811 - the fixture
    nats: str,
) -> None:
    app = await platform.deploy("there-1", owner=2)
    await platform.run()
    bus = Bus(nats, name="apps-worker")
    relay = Relay(db, bus, outbox=outbox, inbox=inbox)
    follow_departures(bus, platform.store, relay=relay)
    bus.start()
    try:
        assert await bus.wait_connected(timeout=20)
        gone = events_pb2.UserDeactivated(user_id=2, username="bob", deleted=True, apps_to=1)
        await bus.publish(Message(USER_DEACTIVATED, gone.SerializeToString(), "m1"))
        async with asyncio.timeout(60):
            while (await platform.store.get_app(app.id)).owner_id != 1:  # noqa: ASYNC110 - NATS decides when
                await asyncio.sleep(0.02)
    finally:
        await bus.close()
