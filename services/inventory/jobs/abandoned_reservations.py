"""Release of reservations whose apps are gone: their workflows do that, and this repairs what they could not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from proximity.apps.v1 import apps_service_pb2 as pb
from proximity.apps.v1.apps_service_pb2_grpc import AppsInternalServiceStub

from services.common.core.clock import now
from services.common.core.log import get_logger
from services.common.messaging.schedule import Periodic
from services.common.rpc.client import Clients
from services.inventory.domain.restore_tests import is_test_owner
from services.inventory.store import SqlAddressStore, SqlVmidStore

log = get_logger()

# Longer than any workflow takes between a reservation and the record of its app.
_SETTLED = timedelta(hours=1)
_BATCH = 500  # ids in one request of FindRemovedApps
_TIMEOUT_S = 10.0  # of one such request: the job runs again in an hour


class AbandonedReservations:
    """Releases container ids and addresses of apps that are gone."""

    def __init__(self, clients: Clients, vmids: SqlVmidStore, *, addresses: SqlAddressStore) -> None:
        self._clients = clients
        self._vmids = vmids
        self._addresses = addresses

    def plan(self) -> Periodic:
        """Plan the hourly release."""

        async def release() -> None:
            if released := await self.release(settled=_SETTLED):
                log.warning("removed_apps_released", count=released)

        return Periodic(name="removed_apps", interval=timedelta(hours=1), function=release)

    async def release(self, *, settled: timedelta) -> int:
        """Release what apps that are gone reserved at least `settled` ago, and return the number of these apps.

        Raises:
            UnavailableError: apps or the database does not answer.
        """
        before = now() - settled
        found = {
            *await self._vmids.list_holders(before=before),
            *await self._addresses.list_holders(before=before),
        }
        # Backups releases those of restore tests, once their containers are destroyed.
        reserved = {(host_id, owner) for host_id, owner in found if not is_test_owner(owner)}
        owners = sorted({owner for _, owner in reserved})
        gone: set[str] = set()
        # apps answers which of these ids it does not know; ids that it cannot answer for stay reserved.
        for start in range(0, len(owners), _BATCH):
            gone |= set(await self._find_gone(owners[start : start + _BATCH]))
        for host_id, owner in reserved:
            if owner in gone:
                await self._vmids.release_vmid(host_id, owner)
                await self._addresses.release_address(owner)
        return len(gone)

    async def _find_gone(self, owners: Sequence[str]) -> Sequence[str]:
        request = pb.FindRemovedAppsRequest(app_ids=owners)
        found = await self._clients.call(
            "apps", AppsInternalServiceStub, method="FindRemovedApps", request=request, timeout=_TIMEOUT_S
        )
        return list(found.app_ids)
