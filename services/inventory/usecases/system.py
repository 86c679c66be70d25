"""The platform as a whole."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from services.inventory.domain.health import HealthReport
from services.inventory.domain.interfaces import HealthMonitor, HostStore, VmidStore


@dataclass(frozen=True, kw_only=True)
class SystemInfo:
    """Numbers of hosts, nodes and apps."""

    host_count: int
    node_count: int
    app_count: int


async def get_health(monitor: HealthMonitor) -> HealthReport:
    """Return the condition of the database, the cache, messaging and every service."""
    return await monitor.check()


async def get_system_info(hosts: HostStore, vmids: VmidStore) -> SystemInfo:
    """Count hosts, nodes and apps; each app has one reserved container id."""
    found, nodes, apps = await asyncio.gather(hosts.list_hosts(), hosts.list_nodes(), vmids.count())
    return SystemInfo(host_count=len(found), node_count=len(nodes), app_count=apps)
