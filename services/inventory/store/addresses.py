"""Reservations of static addresses: a row each, committed before the address is used."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_address
from itertools import islice

import sqlalchemy as sa

from services.common.core.clock import Clock, now
from services.common.db.database import Database, insert_ignore
from services.inventory.domain.errors import AddressTakenError, NoFreeAddressError
from services.inventory.domain.links import NetworkSegment
from services.inventory.store.tables import addresses

_ATTEMPTS = 20  # each loses only against another request that took the same address at the same moment
_LARGEST = 65_536  # addresses of a subnet that are considered: an IPv6 subnet has no end


class SqlAddressStore:
    """Reservations of static addresses for apps, by host, bridge and VLAN.

    Rows of the release before have no bridge: they count for every network of their host.
    """

    def __init__(self, db: Database, *, clock: Clock = now) -> None:
        self._db = db
        self._clock = clock

    async def find_owner(self, host_id: int, place: NetworkSegment, *, address: str) -> str | None:
        """Return the owner of a reserved address, or None."""
        query = sa.select(addresses.c.owner).where(_at(host_id, place), addresses.c.address == address)
        return await self._db.read(lambda connection: connection.execute(query).scalar())

    async def find_address(
        self, host_id: int, place: NetworkSegment, *, owner: str, subnet: IPv4Network | IPv6Network
    ) -> str | None:
        """Return the lowest address of a subnet that an owner has reserved, or None."""
        reserved = await self._db.read(
            lambda connection: _list_own(connection, host_id, place=place, owner=owner)
        )
        return next((one for one in reserved if ip_address(one) in subnet), None)

    async def claim_address(self, host_id: int, place: NetworkSegment, *, owner: str, address: str) -> None:
        """Reserve a chosen address, instead of others that the owner may have reserved.

        Raises:
            AddressTakenError: another app has it.
        """
        row = self._build_row(host_id, place, owner=owner, address=address)
        given = sa.select(addresses.c.owner).where(_at(host_id, place), addresses.c.address == address)

        def write(connection: sa.Connection) -> None:
            # Read and written in one transaction; the second read decides between writers at the same moment.
            holders = set(connection.execute(given).scalars())
            if others := sorted(holders - {owner}):
                raise AddressTakenError(f"network_cidr: the address {address} belongs to {others[0]}")
            if not holders:
                connection.execute(addresses.delete().where(addresses.c.owner == owner))
                connection.execute(insert_ignore(addresses, connection).values(**row))
                if set(connection.execute(given).scalars()) != {owner}:
                    raise AddressTakenError(f"network_cidr: the address {address} was taken just now")

        await self._db.write(write)

    async def reserve_address(
        self,
        host_id: int,
        place: NetworkSegment,
        *,
        owner: str,
        subnet: IPv4Network | IPv6Network,
        taken: Collection[str],
    ) -> str:
        """Reserve the lowest free address of a subnet; the same owner gets the same one again.

        One that is reserved on another host, for a network of the same bridge and VLAN, is only taken when no other is
        free: the hosts may share the wire.

        Args:
            host_id: where the container is.
            place: its network there.
            owner: the app.
            subnet: what to choose from.
            taken: addresses that are somebody's without a reservation: gateways, name servers, other guests.

        Raises:
            NoFreeAddressError: every address is taken.
        """

        def write(connection: sa.Connection) -> str | None:
            own = [
                one
                for one in _list_own(connection, host_id, place=place, owner=owner)
                if ip_address(one) in subnet
            ]
            if same := next((one for one in own if one not in taken), None):
                return same
            used = set(taken)
            used |= set(
                connection.execute(sa.select(addresses.c.address).where(_at(host_id, place))).scalars()
            )
            # Hosts may share a layer 2 network, on which two reservations of one address would collide.
            apart = set(connection.execute(sa.select(addresses.c.address).where(_fits(place))).scalars())
            found = next((one for one in _list_addresses(subnet) if one not in used | apart), None)
            found = found or next((one for one in _list_addresses(subnet) if one not in used), None)
            if found is None:
                raise NoFreeAddressError(f"every address of {subnet} on {place} is taken")
            row = self._build_row(host_id, place, owner=owner, address=found)
            won = connection.execute(insert_ignore(addresses, connection).values(**row)).rowcount
            return found if won else None

        for _ in range(_ATTEMPTS):
            if (address := await self._db.write(write)) is not None:
                return address
        raise NoFreeAddressError(f"no address of {subnet} could be reserved in {_ATTEMPTS} attempts")

    async def note_addresses(
        self, host_id: int, owner: str, *, found: Collection[tuple[NetworkSegment, str]]
    ) -> None:
        """Make an owner's reservations those that its container has; those that another app has stay that app's."""
        rows = [self._build_row(host_id, place, owner=owner, address=address) for place, address in found]
        keys = {(row["bridge"], row["vlan"], row["address"]) for row in rows}
        own = sa.select(addresses).where(addresses.c.host_id == host_id, addresses.c.owner == owner)

        def write(connection: sa.Connection) -> None:
            known = {(row.bridge, row.vlan, row.address) for row in connection.execute(own)}
            for bridge, vlan, address in known - keys:
                key = {"host_id": host_id, "bridge": bridge, "vlan": vlan, "address": address}
                gone = (addresses.c[name] == value for name, value in key.items())
                connection.execute(addresses.delete().where(addresses.c.owner == owner, *gone))
            for row in rows:
                if (row["bridge"], row["vlan"], row["address"]) not in known:
                    connection.execute(insert_ignore(addresses, connection).values(**row))

        await self._db.write(write)

    async def list_holders(self, *, before: datetime) -> list[tuple[int, str]]:
        """Return host and owner of addresses that were reserved before that time."""
        query = (
            sa.select(addresses.c.host_id, addresses.c.owner)
            .where(addresses.c.reserved_at < before)
            .distinct()
        )
        rows = await self._db.read(lambda connection: connection.execute(query).all())
        return [(row.host_id, row.owner) for row in rows]

    async def release_address(self, owner: str) -> None:
        """Release all addresses of an owner, if any."""
        await self._db.write(lambda c: c.execute(addresses.delete().where(addresses.c.owner == owner)))

    def _build_row(
        self, host_id: int, place: NetworkSegment, *, owner: str, address: str
    ) -> dict[str, object]:
        return {
            "host_id": host_id,
            "bridge": place.bridge,
            "vlan": place.vlan,
            "address": address,
            "owner": owner,
            "reserved_at": self._clock(),
        }


def _fits(place: NetworkSegment) -> sa.ColumnElement[bool]:
    same = (addresses.c.bridge == place.bridge) & (addresses.c.vlan == place.vlan)
    return same | (addresses.c.bridge == "")


def _at(host_id: int, place: NetworkSegment) -> sa.ColumnElement[bool]:
    return (addresses.c.host_id == host_id) & _fits(place)


def _list_own(connection: sa.Connection, host_id: int, *, place: NetworkSegment, owner: str) -> list[str]:
    query = sa.select(addresses.c.address).where(_at(host_id, place), addresses.c.owner == owner)
    return sorted(
        connection.execute(query).scalars(), key=lambda one: (ip_address(one).version, ip_address(one))
    )


def _list_addresses(subnet: IPv4Network | IPv6Network) -> Iterator[str]:
    return (str(one) for one in islice(subnet.hosts(), _LARGEST))
