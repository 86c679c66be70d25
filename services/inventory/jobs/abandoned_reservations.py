"""Giving back what apps hold that are gone: their workflows do that, and this makes up for what was lost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from proximity.apps.v1 import apps_service_pb2 as pb
from proximity.apps.v1.apps_service_pb2_grpc import AppsInternalServiceStub

from services.common.core.clock import now
from services.common.core.log import get_logger
from services.common.messaging.schedule import Periodic
from services.common.rpc.client import Clients
from services.inventory.store import SqlAddressStore, SqlVmidStore

log = get_logger()

_SETTLED = timedelta(
    hours=1
)  # longer than any workflow takes between a reservation and the record of its app
_BATCH = 500  # what FindRemovedApps answers at once


class RemovedApps:
    """Releases container ids and addresses of apps that are gone."""

    def __init__(self, clients: Clients, vmids: SqlVmidStore, addresses: SqlAddressStore) -> None:
        self._clients = clients
        self._vmids = vmids
        self._addresses = addresses

    def plan(self) -> Periodic:
        """Plan the hourly release, for what a workflow of apps could not give back."""

        async def release() -> None:
            if released := await self.release(settled=_SETTLED):
                log.warning("removed_apps_released", count=released)

        return Periodic(name="removed_apps", interval=timedelta(hours=1), function=release)

    async def release(self, *, settled: timedelta) -> int:
        """Give back what is held for so long by apps that are gone; how many apps those were.

        Raises:
            UnavailableError: apps or the database does not answer.
        """
        before = now() - settled
        held = {
            *await self._vmids.list_holders(before=before),
            *await self._addresses.list_holders(before=before),
        }
        owners = sorted({owner for _, owner in held})
        gone: set[str] = set()
        for start in range(0, len(owners), _BATCH):
            gone |= set(await self._ask(owners[start : start + _BATCH]))
        for host_id, owner in held:
            if owner in gone:
                await self._vmids.release_vmid(host_id, owner)
                await self._addresses.release_address(owner)
        return len(gone)

    async def _ask(self, owners: Sequence[str]) -> Sequence[str]:
        request = pb.FindRemovedAppsRequest(app_ids=owners)
        found = await self._clients.call(
            "apps", AppsInternalServiceStub, "FindRemovedApps", request, timeout=10.0
        )
        return list(found.app_ids)
