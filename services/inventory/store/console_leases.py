"""Leases of the shared consoles of containers: a terminal has the console to itself, over all replicas."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from services.common.core.clock import Clock, now
from services.common.db.database import Database, insert_ignore
from services.inventory.domain.terminals import LEASE_S
from services.inventory.store.tables import console_leases


class SqlConsoleLeases:
    """Leases, a row each; one that is not renewed expires, so that a dead process blocks nobody for long."""

    def __init__(self, db: Database, *, clock: Clock = now) -> None:
        self._db = db
        self._clock = clock

    async def acquire(self, host_id: int, vmid: int, *, holder: str) -> bool:
        """Lease the console of a container, or extend the holder's lease; False while another holder has it."""
        moment = self._clock()
        until = moment + timedelta(seconds=LEASE_S)
        key = (console_leases.c.host_id == host_id, console_leases.c.vmid == vmid)
        is_free = sa.or_(console_leases.c.holder == holder, console_leases.c.expires_at <= moment)

        def write(connection: sa.Connection) -> bool:
            values = {"host_id": host_id, "vmid": vmid, "holder": holder, "expires_at": until}
            if connection.execute(insert_ignore(console_leases, connection).values(**values)).rowcount:
                return True
            taken = sa.update(console_leases).where(*key, is_free).values(holder=holder, expires_at=until)
            return bool(connection.execute(taken).rowcount)

        return await self._db.write(write, is_final=False)

    async def release(self, host_id: int, vmid: int, *, holder: str) -> None:
        """End a holder's lease; without one nothing happens."""
        query = sa.delete(console_leases).where(
            console_leases.c.host_id == host_id,
            console_leases.c.vmid == vmid,
            console_leases.c.holder == holder,
        )
        await self._db.write(lambda connection: connection.execute(query).rowcount, is_final=False)

    async def is_leased(self, host_id: int, vmid: int) -> bool:
        """Whether a terminal has the console of a container."""
        query = sa.select(console_leases.c.vmid).where(
            console_leases.c.host_id == host_id,
            console_leases.c.vmid == vmid,
            console_leases.c.expires_at > self._clock(),
        )
        return await self._db.read(lambda connection: connection.execute(query).first() is not None)
