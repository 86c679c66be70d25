"""GetHealth: the condition of the platform, checked at most twice a second."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import empty_pb2

from services.common.core.config import ServiceSettings, read_settings
from services.common.db.database import Database, create_engine
from services.common.db.probe import DatabaseProbe
from services.common.messaging.bus import Bus
from services.common.rpc.call import Call
from services.inventory.domain.errors import HostCredentialsRefusedError
from services.inventory.domain.health import CONNECTED, FULL, HealthReport
from services.inventory.domain.patches import HostChanges
from services.inventory.probes.health import HealthChecks
from services.inventory.proxmox.client import ProxmoxClient
from services.inventory.usecases.system import get_health
from tests.fakes.inventory import FixedHealth, InstantInventory, SilentHosts, build_system_handlers


class Counting(HealthChecks):
    """Counts how often the parts are asked."""

    count = 0

    async def _check_all(self) -> HealthReport:
        self.count += 1
        await asyncio.sleep(0.01)
        return HealthReport(CONNECTED, CONNECTED, CONNECTED, {})


class RefusingHost:
    """An outage in which a host does not accept its credentials."""

    def meddle(self, client: ProxmoxClient, method: str, path: str, send: Callable[[], Any]) -> Any:
        raise HostCredentialsRefusedError(f"{client.access.name} refuses {client.access.user}: no such user")


def make_checks(db: Database, find_host_fault: Callable[[], str]) -> HealthChecks:
    settings = read_settings(ServiceSettings, {"SECRET_KEY": secrets.token_hex(24)})
    bus, probe = Bus("nats://127.0.0.1:1", name="x"), DatabaseProbe(db)
    return HealthChecks("inventory", settings, db=db, bus=bus, probe=probe, find_host_fault=find_host_fault)


async def test_a_host_that_refuses_its_credentials_is_in_health_until_it_accepts_others(
    inventory: InstantInventory,
) -> None:
    sync, hosts = inventory.parts.sync, inventory.parts.hosts
    checks = make_checks(inventory.parts.db, sync.describe_refusal)
    inventory.proxmox.outage = RefusingHost()
    await sync.sync_due()
    try:
        report = await checks.check()
        assert report.services["inventory"].startswith("error: credentials are refused by Proxmox host pve:")
        assert "root@pam" not in str(report)
        assert report.status == "degraded"
        inventory.proxmox.outage = None
        sync.wake()  # as UpdateHost does
        await sync.sync_due()
        assert sync.describe_refusal() == ""
        assert (await hosts.get_host(inventory.host.id)).status == "online"
    finally:
        await checks.close()


async def test_a_host_that_does_not_answer_degrades_nothing(inventory: InstantInventory) -> None:
    inventory.proxmox.outage = SilentHosts("pve")
    await inventory.parts.sync.sync_due()
    assert inventory.parts.sync.describe_refusal() == ""


async def test_a_refusing_host_that_is_switched_off_is_no_fault_any_more(inventory: InstantInventory) -> None:
    sync = inventory.parts.sync
    inventory.proxmox.outage = RefusingHost()
    await sync.sync_due()
    assert sync.describe_refusal()
    await inventory.parts.hosts.update_host(inventory.host.id, HostChanges(is_active=False))
    await sync.sync_due()
    assert sync.describe_refusal() == ""


async def test_those_who_ask_at_once_share_an_answer_and_later_ones_get_another(tmp_path: Path) -> None:
    db = Database(create_engine(f"sqlite:///{tmp_path}/x.sqlite3", service="inventory"))
    checks = Counting(
        "inventory",
        read_settings(ServiceSettings, {"TESTING_MODE": "true", "SECRET_KEY": secrets.token_hex(24)}),
        db=db,
        bus=Bus("nats://127.0.0.1:1", name="x"),
        probe=DatabaseProbe(db),
    )
    try:
        reports = await asyncio.gather(*(checks.check() for _ in range(20)))
        assert {report.status for report in reports} == {"healthy"}
        assert checks.count == 1
        async with asyncio.timeout(60):
            while checks.count == 1:
                await asyncio.gather(checks.check(), asyncio.sleep(0.05))
        assert checks.count == 2
    finally:
        await checks.close()
        await db.close()


def test_a_platform_that_cannot_write_is_degraded_and_one_that_cannot_read_is_unhealthy() -> None:
    parts = (CONNECTED, CONNECTED, {"apps": CONNECTED})
    assert HealthReport(FULL, *parts).status == "degraded"
    assert HealthReport("error: timed out", *parts).status == "unhealthy"
    assert HealthReport(CONNECTED, CONNECTED, CONNECTED, {"apps": "error: not serving"}).status == "degraded"


@pytest.mark.parametrize(
    ("database", "status", "http_status"),
    [(CONNECTED, "healthy", None), (FULL, "degraded", None), ("error: timed out", "unhealthy", 503)],
)
async def test_a_load_balancer_learns_from_the_status_what_the_report_says(
    inventory: InstantInventory, database: str, status: str, http_status: int | None
) -> None:
    report = HealthReport(database, CONNECTED, CONNECTED, {"apps": CONNECTED})
    handlers = build_system_handlers(inventory.parts, FixedHealth(report))
    call = Call("/test", {})
    shown = await handlers.get_health(empty_pb2.Empty(), call)
    assert (shown.status, shown.database, call.http_status) == (status, database, http_status)
    assert dict(shown.services) == {"apps": CONNECTED}
    assert await get_health(FixedHealth(report)) == report
