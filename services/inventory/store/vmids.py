"""Reservations of container ids."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from datetime import datetime

import sqlalchemy as sa
from proximity.inventory.v1 import events_pb2

from services.common.core.clock import Clock, now
from services.common.db.database import Database, insert_ignore
from services.common.messaging.outbox import add_messages, new_message
from services.inventory.domain.errors import (
    HostNotFoundError,
    NoFreeVmidError,
    VmidTakenError,
)
from services.inventory.store.tables import addresses, outbox, vmids

VMID_RELEASED = "events.inventory.v1.vmid_released"
_RESERVE_ATTEMPTS = 20  # each loses only against another request that took the same id at the same moment


class SqlVmidStore:
    """Reservations of container ids: a row each, committed before the id is used."""

    def __init__(self, db: Database, *, lowest: int, highest: int, clock: Clock = now) -> None:
        self._db = db
        self._lowest = lowest
        self._highest = highest
        self._clock = clock

    async def find_vmid(self, host_id: int, owner: str) -> int | None:
        """Return the id that an owner has reserved on a host, or None."""
        query = sa.select(vmids.c.vmid).where(vmids.c.host_id == host_id, vmids.c.owner == owner)
        return await self._db.read(lambda connection: connection.execute(query).scalar())

    async def find_owner(self, host_id: int, vmid: int) -> str | None:
        """Return the owner of an id, or None."""
        query = sa.select(vmids.c.owner).where(vmids.c.host_id == host_id, vmids.c.vmid == vmid)
        return await self._db.read(lambda connection: connection.execute(query).scalar())

    async def list_owners(self, host_id: int) -> dict[int, str]:
        """Return the owners of a host's ids."""
        query = sa.select(vmids.c.vmid, vmids.c.owner).where(vmids.c.host_id == host_id)
        rows = await self._db.read(lambda connection: connection.execute(query).all())
        return {int(row.vmid): str(row.owner) for row in rows}

    async def list_holders(self, *, before: datetime) -> list[tuple[int, str]]:
        """Return host and owner of what was reserved before a time."""
        query = sa.select(vmids.c.host_id, vmids.c.owner).where(vmids.c.reserved_at < before)
        rows = await self._db.read(lambda connection: connection.execute(query).all())
        return [(int(row.host_id), str(row.owner)) for row in rows]

    async def list_reserved(self, prefix: str) -> list[tuple[int, int, str, datetime]]:
        """Return host, id, owner and time of the reservations of owners that begin with `prefix`."""
        columns = (vmids.c.host_id, vmids.c.vmid, vmids.c.owner, vmids.c.reserved_at)
        query = sa.select(*columns).where(vmids.c.owner.startswith(prefix, autoescape=True))
        rows = await self._db.read(lambda connection: connection.execute(query).all())
        return [(int(row.host_id), int(row.vmid), str(row.owner), row.reserved_at) for row in rows]

    async def reserve_vmid(self, host_id: int, owner: str, *, taken: AbstractSet[int]) -> int:
        """Reserve the lowest id that is neither reserved nor `taken`; the same owner always gets the same.

        Raises:
            NoFreeVmidError: the range is used up.
            HostNotFoundError: there is no such host.
        """
        moment = self._clock()

        def write(connection: sa.Connection) -> int | None:
            reserved_before = connection.execute(
                sa.select(vmids.c.vmid).where(vmids.c.host_id == host_id, vmids.c.owner == owner)
            ).scalar()
            if reserved_before is not None:
                return int(reserved_before)
            reserved = connection.execute(sa.select(vmids.c.vmid).where(vmids.c.host_id == host_id)).scalars()
            vmid = self._choose(taken | set(reserved))
            values = {"host_id": host_id, "vmid": vmid, "owner": owner, "reserved_at": moment}
            # The primary key decides between requests at the same moment; the loser takes the next id.
            won = connection.execute(insert_ignore(vmids, connection).values(**values)).rowcount
            return vmid if won else None

        for _ in range(_RESERVE_ATTEMPTS):
            try:
                vmid = await self._db.write(write)
            # The foreign key: there is no such host.
            except sa.exc.IntegrityError:
                raise HostNotFoundError(f"there is no host {host_id}") from None
            if vmid is not None:
                return vmid
        raise NoFreeVmidError(
            f"no container id could be reserved in {_RESERVE_ATTEMPTS} attempts", retry_after=1
        )

    def _choose(self, used: AbstractSet[int]) -> int:
        for vmid in range(self._lowest, self._highest + 1):
            if vmid not in used:
                return vmid
        raise NoFreeVmidError(f"every container id from {self._lowest} to {self._highest} is taken")

    async def claim_vmid(self, host_id: int, vmid: int, *, owner: str, instead: bool = False) -> None:
        """Note that `owner` has the existing container `vmid`; `instead` of the id it has reserved on that host.

        Raises:
            VmidTakenError: somebody else has it, or the owner has another.
        """
        values = {"host_id": host_id, "vmid": vmid, "owner": owner, "reserved_at": self._clock()}

        def write(connection: sa.Connection) -> None:
            if instead:
                other = (vmids.c.host_id == host_id, vmids.c.owner == owner, vmids.c.vmid != vmid)
                connection.execute(vmids.delete().where(*other))
            connection.execute(insert_ignore(vmids, connection).values(**values))
            row = connection.execute(
                sa.select(vmids.c.owner).where(vmids.c.host_id == host_id, vmids.c.vmid == vmid)
            ).scalar()
            if row != owner:
                raise VmidTakenError(f"container {vmid} of host {host_id} belongs to {row or 'nobody'}")

        await self._db.write(write)

    async def mark_copy(self, host_id: int, owner: str, *, is_copy: bool) -> None:
        """Note that an owner's container is a copy that has the addresses of its original; or that it has its own now."""
        own = (vmids.c.host_id == host_id) & (vmids.c.owner == owner)
        await self._db.write(lambda c: c.execute(vmids.update().where(own).values(is_copy=is_copy)))

    async def is_copy(self, host_id: int, owner: str) -> bool:
        """Whether an owner's container is a copy that has the addresses of its original."""
        query = sa.select(vmids.c.is_copy).where(vmids.c.host_id == host_id, vmids.c.owner == owner)
        return bool(await self._db.read(lambda connection: connection.execute(query).scalar()))

    async def list_copies(self, host_id: int) -> frozenset[int]:
        """Return the ids of the containers of a host that are copies with the addresses of their originals."""
        query = sa.select(vmids.c.vmid).where(vmids.c.host_id == host_id, vmids.c.is_copy)
        return frozenset(await self._db.read(lambda connection: connection.execute(query).scalars().all()))

    async def release_vmid(self, host_id: int, owner: str) -> None:
        """Release the id and the static addresses that an owner has reserved on a host, if any."""
        own = (vmids.c.host_id == host_id) & (vmids.c.owner == owner)

        def write(connection: sa.Connection) -> None:
            vmid = connection.execute(sa.select(vmids.c.vmid).where(own)).scalar()
            address = (addresses.c.owner == owner) & (addresses.c.host_id == host_id)
            connection.execute(addresses.delete().where(address))
            if vmid is None:
                return
            connection.execute(vmids.delete().where(own))
            event = events_pb2.VmidReleased(host_id=host_id, vmid=vmid, owner=owner)
            # In the same transaction as the release.
            add_messages(connection, outbox, messages=[new_message(VMID_RELEASED, event)])

        await self._db.write(write)

    async def count(self) -> int:
        """Return how many ids are reserved: as many apps live on the hosts."""
        query = sa.select(sa.func.count()).select_from(vmids)
        return await self._db.read(lambda connection: connection.execute(query).scalar_one())
