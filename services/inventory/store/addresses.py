"""Reservations of static addresses: a row each, committed before the address is used."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_interface
from itertools import islice

import sqlalchemy as sa

from services.common.core.clock import Clock, now
from services.common.db.database import Database, insert_ignore
from services.inventory.domain.errors import AddressTakenError, NoFreeAddressError
from services.inventory.store.tables import addresses

_ATTEMPTS = 20
_LARGEST = 65_536  # addresses of a subnet that are looked at


class SqlAddressStore:
    """Which app has which static address; all hosts share the subnets."""

    def __init__(self, db: Database, *, clock: Clock = now) -> None:
        self._db = db
        self._clock = clock

    async def find_owner(self, address: str) -> str | None:
        """Return who holds an address, or None."""
        query = sa.select(addresses.c.owner).where(addresses.c.address == address)
        return await self._db.read(lambda connection: connection.execute(query).scalar())

    async def claim_address(self, host_id: int, owner: str, *, address: str) -> None:
        """Hold a chosen address, instead of another one that the owner may hold.

        Raises:
            AddressTakenError: another app has it.
        """
        values = {"address": address, "owner": owner, "host_id": host_id, "reserved_at": self._clock()}

        def write(connection: sa.Connection) -> None:
            given = sa.select(addresses.c.owner).where(addresses.c.address == address)
            held = connection.execute(given).scalar()
            if held == owner:
                return
            if held is not None:
                raise AddressTakenError(f"network_cidr: the address {address} belongs to {held}")
            connection.execute(addresses.delete().where(addresses.c.owner == owner))
            connection.execute(insert_ignore(addresses, connection).values(**values))
            if connection.execute(given).scalar() != owner:
                raise AddressTakenError(f"network_cidr: the address {address} was taken just now")

        await self._db.write(write)

    async def reserve_address(
        self, host_id: int, owner: str, *, subnet: IPv4Network | IPv6Network, taken: Collection[str]
    ) -> str:
        """Reserve the lowest free address of a subnet; the same owner gets the same one again.

        Args:
            host_id: where the container is.
            owner: the app.
            subnet: what to choose from.
            taken: addresses that are somebody's without a reservation: gateways, name servers, other containers.

        Raises:
            NoFreeAddressError: every address is taken.
        """

        def write(connection: sa.Connection) -> str | None:
            mine = sa.select(addresses.c.address).where(addresses.c.owner == owner)
            held = connection.execute(mine).scalar()
            if held is not None and ip_interface(held).ip in subnet and held not in taken:
                return str(held)
            connection.execute(addresses.delete().where(addresses.c.owner == owner))
            used = set(taken) | set(connection.execute(sa.select(addresses.c.address)).scalars())
            found = next((one for one in _list_addresses(subnet) if one not in used), None)
            if found is None:
                raise NoFreeAddressError(f"every address of {subnet} is taken")
            values = {"address": found, "owner": owner, "host_id": host_id, "reserved_at": self._clock()}
            won = connection.execute(insert_ignore(addresses, connection).values(**values)).rowcount
            return found if won else None

        for _ in range(_ATTEMPTS):
            if (address := await self._db.write(write)) is not None:
                return address
        raise NoFreeAddressError(f"no address of {subnet} could be reserved in {_ATTEMPTS} attempts")

    async def list_holders(self, *, before: datetime) -> list[tuple[int, str]]:
        """Return who has held an address since before that time: host and owner."""
        query = sa.select(addresses.c.host_id, addresses.c.owner).where(addresses.c.reserved_at < before)
        rows = await self._db.read(lambda connection: connection.execute(query).all())
        return [(row.host_id, row.owner) for row in rows]

    async def release_address(self, owner: str) -> None:
        """Give back what an owner holds; nothing happens when it holds nothing."""
        await self._db.write(lambda c: c.execute(addresses.delete().where(addresses.c.owner == owner)))


def _list_addresses(subnet: IPv4Network | IPv6Network) -> Iterator[str]:
    return (str(one) for one in islice(subnet.hosts(), _LARGEST))
