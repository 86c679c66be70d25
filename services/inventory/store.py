"""Tables and all SQL of the inventory."""

from __future__ import annotations

import json
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import sqlalchemy as sa
from proximity.inventory.v1 import events_pb2

from services.common import idempotency as idempotency_module
from services.common.clock import Clock, now
from services.common.db import Database, UtcDateTime, insert_ignore
from services.common.outbox import add_messages, define_tables, new_message
from services.common.resealing import SealedColumn
from services.common.sealing import Sealer
from services.inventory.domain.entities import (
    Host,
    Network,
    NewHost,
    Node,
    Resources,
    Secrets,
    check_credentials,
    guess_exec_mode,
)
from services.inventory.domain.errors import (
    HostDuplicateError,
    HostInUseError,
    HostNotFoundError,
    NoFreeVmidError,
    VmidTakenError,
)

HOST_DELETED = "events.inventory.v1.host_deleted"
VMID_RELEASED = "events.inventory.v1.vmid_released"
_SECRETS = ("password", "token_secret", "ssh_key")
_RESERVE_ATTEMPTS = 20

metadata = sa.MetaData()
outbox, inbox = define_tables(metadata)
idempotency = idempotency_module.define_table(metadata)

hosts = sa.Table(
    "hosts",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("name", sa.String(100), nullable=False, unique=True),
    sa.Column("host", sa.String(253), nullable=False),
    sa.Column("port", sa.Integer, nullable=False),
    sa.Column("user", sa.String(128), nullable=False),
    sa.Column("ssh_port", sa.Integer, nullable=False),
    sa.Column("verify_ssl", sa.Boolean, nullable=False),
    sa.Column("fingerprint", sa.String(95), nullable=False, server_default=""),
    sa.Column("token_id", sa.String(256), nullable=False, server_default=""),
    sa.Column("password", sa.Text, nullable=False, server_default=""),
    sa.Column("token_secret", sa.Text, nullable=False, server_default=""),
    sa.Column("ssh_key", sa.Text, nullable=False, server_default=""),
    sa.Column("exec_mode", sa.String(10), nullable=False, server_default=""),
    sa.Column("is_active", sa.Boolean, nullable=False),
    sa.Column("is_default", sa.Boolean, nullable=False),
    sa.Column("status", sa.String(20), nullable=False, server_default="unknown"),
    sa.Column("version", sa.String(40), nullable=False, server_default=""),
    sa.Column("last_error", sa.Text, nullable=False, server_default=""),
    sa.Column("last_seen", UtcDateTime),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.Column("request_id", sa.String(32), unique=True),
)
nodes = sa.Table(
    "nodes",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("host_id", sa.Integer, sa.ForeignKey("hosts.id", ondelete="CASCADE"), nullable=False),
    sa.Column("name", sa.String(100), nullable=False),
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("facts", sa.Text, nullable=False),
    sa.Column("last_updated", UtcDateTime, nullable=False),
    sa.UniqueConstraint("host_id", "name"),
)
vmids = sa.Table(
    "vmids",
    metadata,
    sa.Column("host_id", sa.Integer, sa.ForeignKey("hosts.id"), primary_key=True),
    sa.Column("vmid", sa.Integer, primary_key=True),
    sa.Column("owner", sa.String(100), nullable=False),
    sa.Column("reserved_at", UtcDateTime, nullable=False),
    sa.UniqueConstraint("host_id", "owner"),
)
ssh_keys = sa.Table(
    "ssh_keys",
    metadata,
    sa.Column("host_id", sa.Integer, sa.ForeignKey("hosts.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("address", sa.String(300), primary_key=True),
    sa.Column("public_key", sa.Text, nullable=False),
)
settings = sa.Table(
    "settings",
    metadata,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
)
SEALED = (
    idempotency_module.seal_column(idempotency),
    *(SealedColumn(hosts.c[name], f"hosts.{name}") for name in _SECRETS),
)
_FACTS = (
    "cpu_count",
    "cpu_usage",
    "memory_total",
    "memory_used",
    "storage_total",
    "storage_used",
    "uptime",
    "ip_address",
    "pve_version",
    "lxc_count",
    "fingerprint",
)


class SqlHostStore:
    """Hosts, their secrets and their nodes."""

    def __init__(self, db: Database, sealer: Sealer, *, clock: Clock = now) -> None:
        self._db = db
        self._sealer = sealer
        self._clock = clock

    async def list_hosts(self) -> list[Host]:
        """Return the hosts, the default one first, then by name."""
        query = sa.select(hosts).order_by(hosts.c.is_default.desc(), hosts.c.name)
        return [_build_host(row) for row in await self._db.read(lambda c: c.execute(query).all())]

    async def get_host(self, host_id: int) -> Host:
        """Return one host.

        Raises:
            HostNotFoundError: there is none.
        """
        return await self._db.read(lambda connection: _read_host(connection, host_id))

    async def get_secrets(self, host_id: int) -> Secrets:
        """Return what a host is signed in to with.

        Raises:
            HostNotFoundError: there is no such host.
            SealBrokenError: they were sealed with another SECRET_KEY.
        """
        row = await self._db.read(lambda connection: _read_row(connection, host_id))
        return self._open(row)

    async def add_host(self, new: NewHost, *, request_id: str | None = None) -> Host:
        """Register a host; the first one becomes the default. The same request_id registers once.

        Raises:
            HostDuplicateError: the name is taken.
        """
        moment = self._clock()

        def write(connection: sa.Connection) -> Host:
            if request_id:
                known = connection.execute(
                    sa.select(hosts.c.id).where(hosts.c.request_id == request_id)
                ).scalar()
                if known is not None:
                    return _read_host(connection, known)
            _check_name(connection, new.name)
            first = connection.execute(sa.select(sa.func.count()).select_from(hosts)).scalar_one() == 0
            plain = ("name", "host", "port", "user", "ssh_port", "verify_ssl", "fingerprint", "token_id")
            values = {name: getattr(new, name) for name in plain}
            values |= {"is_active": True, "is_default": False, "created_at": moment, "updated_at": moment}
            result = connection.execute(hosts.insert().values(**values, request_id=request_id))
            (host_id,) = result.inserted_primary_key or (0,)
            self._write_secrets(connection, host_id, new.secrets)
            if first or new.is_default:
                _make_default(connection, host_id)
            return _read_host(connection, host_id)

        try:
            return await self._db.write(write)
        except sa.exc.IntegrityError:
            raise _duplicate(new.name) from None

    async def update_host(self, host_id: int, changes: dict[str, Any]) -> Host:
        """Change what `changes` names; secrets among them are sealed.

        Raises:
            HostNotFoundError: there is no such host.
            HostDuplicateError: the name is taken.
            InvalidError: the credentials would be incomplete.
        """
        moment = self._clock()

        def write(connection: sa.Connection) -> Host:
            row = _read_row(connection, host_id)
            if "name" in changes:
                _check_name(connection, changes["name"], host_id=host_id)
            plain = {key: value for key, value in changes.items() if key not in (*_SECRETS, "is_default")}
            given = {key: changes[key] for key in _SECRETS if key in changes}
            if given or "token_id" in changes:
                current = self._open(row)
                secrets = Secrets(**{key: given.get(key, getattr(current, key)) for key in _SECRETS})
                check_credentials(plain.get("token_id", row.token_id), secrets)
                self._write_secrets(connection, host_id, secrets)
                plain["exec_mode"] = ""  # another way may lead in now
            connection.execute(hosts.update().where(hosts.c.id == host_id).values(**plain, updated_at=moment))
            if changes.get("is_default"):
                _make_default(connection, host_id)
            if {"host", "port"} & set(changes) and "fingerprint" not in changes:
                _forget_pin(connection, host_id)
            if "host" in changes or "ssh_port" in changes:
                connection.execute(ssh_keys.delete().where(ssh_keys.c.host_id == host_id))
            return _read_host(connection, host_id)

        try:
            return await self._db.write(write)
        except sa.exc.IntegrityError:
            raise _duplicate(str(changes.get("name", ""))) from None

    async def delete_host(self, host_id: int) -> None:
        """Forget a host.

        Raises:
            HostNotFoundError: there is none.
            HostInUseError: apps live there.
        """

        def write(connection: sa.Connection) -> None:
            host = _read_host(connection, host_id)
            count = connection.execute(
                sa.select(sa.func.count()).select_from(vmids).where(vmids.c.host_id == host_id)
            ).scalar_one()
            if count:
                raise HostInUseError(f"{count} apps live on {host.name!r}; remove or move them first")
            for table in (ssh_keys, nodes):
                connection.execute(table.delete().where(table.c.host_id == host_id))
            connection.execute(hosts.delete().where(hosts.c.id == host_id))
            if host.is_default:
                heir = connection.execute(sa.select(hosts.c.id).order_by(hosts.c.name).limit(1)).scalar()
                if heir is not None:
                    _make_default(connection, heir)
            event = events_pb2.HostDeleted(host_id=host_id, name=host.name)
            add_messages(connection, outbox, [new_message(HOST_DELETED, event)])

        await self._db.write(write)

    async def note_answer(
        self, host_id: int, *, version: str, found: Sequence[Node], exec_mode: str = ""
    ) -> None:
        """Write down that a host answered, its nodes, and how commands get into its containers."""
        moment = self._clock()
        values = {"status": "online", "version": version, "last_error": "", "last_seen": moment}
        if exec_mode:
            values["exec_mode"] = exec_mode

        def write(connection: sa.Connection) -> None:
            connection.execute(hosts.update().where(hosts.c.id == host_id).values(**values))
            names = [node.name for node in found]
            connection.execute(nodes.delete().where(nodes.c.host_id == host_id, nodes.c.name.not_in(names)))
            for node in found:
                facts = json.dumps({name: getattr(node, name) for name in _FACTS})
                row = {"status": node.status, "facts": facts, "last_updated": moment}
                changed = connection.execute(
                    nodes.update().where(nodes.c.host_id == host_id, nodes.c.name == node.name).values(**row)
                )
                if not changed.rowcount:
                    connection.execute(
                        insert_ignore(nodes, connection).values(host_id=host_id, name=node.name, **row)
                    )

        try:
            await self._db.write(write)
        except sa.exc.IntegrityError:
            raise HostNotFoundError(f"host {host_id} was deleted meanwhile") from None

    async def note_silence(self, host_id: int, error: str) -> None:
        """Write down that a host does not answer; its nodes are unknown from then on."""

        def write(connection: sa.Connection) -> None:
            connection.execute(
                hosts.update().where(hosts.c.id == host_id).values(status="offline", last_error=error[:1000])
            )
            connection.execute(nodes.update().where(nodes.c.host_id == host_id).values(status="unknown"))

        await self._db.write(write)

    async def pin_fingerprint(self, host_id: int, fingerprint: str) -> Host:
        """Pin the certificate shown at the first connection, unless one is pinned already."""
        unpinned = (hosts.c.id == host_id) & (hosts.c.fingerprint == "")

        def write(connection: sa.Connection) -> Host:
            connection.execute(hosts.update().where(unpinned).values(fingerprint=fingerprint))
            return _read_host(connection, host_id)

        return await self._db.write(write)

    async def list_nodes(self, host_id: int | None = None) -> list[Node]:
        """Return the nodes as last seen, by host and name."""
        query = sa.select(nodes, hosts.c.name.label("host_name")).join(hosts)
        if host_id is not None:
            query = query.where(nodes.c.host_id == host_id)
        query = query.order_by(hosts.c.name, nodes.c.name)
        return [_build_node(row) for row in await self._db.read(lambda c: c.execute(query).all())]

    async def find_ssh_key(self, host_id: int, address: str) -> str:
        """Return the SSH host key pinned for an address; empty when none is."""
        query = sa.select(ssh_keys.c.public_key).where(
            ssh_keys.c.host_id == host_id, ssh_keys.c.address == address
        )
        return str(await self._db.read(lambda c: c.execute(query).scalar()) or "")

    async def pin_ssh_key(self, host_id: int, address: str, *, public_key: str) -> None:
        """Pin an SSH host key, unless one is pinned already."""
        values = {"host_id": host_id, "address": address, "public_key": public_key}
        await self._db.write(lambda c: c.execute(insert_ignore(ssh_keys, c).values(**values)))

    def _write_secrets(self, connection: sa.Connection, host_id: int, secrets: Secrets) -> None:
        sealed = {
            name: self._sealer.seal(getattr(secrets, name), place=f"hosts.{name}.{host_id}")
            if getattr(secrets, name)
            else ""
            for name in _SECRETS
        }
        connection.execute(hosts.update().where(hosts.c.id == host_id).values(**sealed))

    def _open(self, row: sa.Row[Any]) -> Secrets:
        values = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for it
        opened = {
            name: self._sealer.open(values[name], place=f"hosts.{name}.{row.id}") if values[name] else ""
            for name in _SECRETS
        }
        return Secrets(**opened)


class SqlVmidStore:
    """Reservations of container ids: a row each, committed before the id is used."""

    def __init__(self, db: Database, *, lowest: int, highest: int, clock: Clock = now) -> None:
        self._db = db
        self._lowest = lowest
        self._highest = highest
        self._clock = clock

    async def find_vmid(self, host_id: int, owner: str) -> int | None:
        """Return the id that an owner holds on a host, or None."""
        query = sa.select(vmids.c.vmid).where(vmids.c.host_id == host_id, vmids.c.owner == owner)
        return await self._db.read(lambda connection: connection.execute(query).scalar())

    async def find_owner(self, host_id: int, vmid: int) -> str | None:
        """Return who holds an id, or None."""
        query = sa.select(vmids.c.owner).where(vmids.c.host_id == host_id, vmids.c.vmid == vmid)
        return await self._db.read(lambda connection: connection.execute(query).scalar())

    async def list_owners(self, host_id: int) -> dict[int, str]:
        """Return who holds which id on a host."""
        query = sa.select(vmids.c.vmid, vmids.c.owner).where(vmids.c.host_id == host_id)
        rows = await self._db.read(lambda connection: connection.execute(query).all())
        return {int(row.vmid): str(row.owner) for row in rows}

    async def reserve_vmid(self, host_id: int, owner: str, *, taken: AbstractSet[int]) -> int:
        """Reserve the lowest id that is neither reserved nor `taken`; the same owner always gets the same.

        Raises:
            NoFreeVmidError: the range is used up.
            HostNotFoundError: there is no such host.
        """
        moment = self._clock()

        def write(connection: sa.Connection) -> int | None:
            held = connection.execute(
                sa.select(vmids.c.vmid).where(vmids.c.host_id == host_id, vmids.c.owner == owner)
            ).scalar()
            if held is not None:
                return int(held)
            reserved = connection.execute(sa.select(vmids.c.vmid).where(vmids.c.host_id == host_id)).scalars()
            vmid = self._choose(taken | set(reserved))
            values = {"host_id": host_id, "vmid": vmid, "owner": owner, "reserved_at": moment}
            won = connection.execute(insert_ignore(vmids, connection).values(**values)).rowcount
            return vmid if won else None

        for _ in range(_RESERVE_ATTEMPTS):
            try:
                vmid = await self._db.write(write)
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

    async def claim_vmid(self, host_id: int, vmid: int, *, owner: str) -> None:
        """Note that `owner` has the existing container `vmid`.

        Raises:
            VmidTakenError: somebody else has it, or the owner has another.
        """
        values = {"host_id": host_id, "vmid": vmid, "owner": owner, "reserved_at": self._clock()}

        def write(connection: sa.Connection) -> None:
            connection.execute(insert_ignore(vmids, connection).values(**values))
            row = connection.execute(
                sa.select(vmids.c.owner).where(vmids.c.host_id == host_id, vmids.c.vmid == vmid)
            ).scalar()
            if row != owner:
                raise VmidTakenError(f"container {vmid} of host {host_id} belongs to {row or 'nobody'}")

        await self._db.write(write)

    async def release_vmid(self, host_id: int, owner: str) -> None:
        """Give back what an owner holds on a host; nothing happens when it holds nothing."""
        held = (vmids.c.host_id == host_id) & (vmids.c.owner == owner)

        def write(connection: sa.Connection) -> None:
            vmid = connection.execute(sa.select(vmids.c.vmid).where(held)).scalar()
            if vmid is None:
                return
            connection.execute(vmids.delete().where(held))
            event = events_pb2.VmidReleased(host_id=host_id, vmid=vmid, owner=owner)
            add_messages(connection, outbox, [new_message(VMID_RELEASED, event)])

        await self._db.write(write)

    async def count(self) -> int:
        """Return how many ids are reserved: as many apps live on the hosts."""
        query = sa.select(sa.func.count()).select_from(vmids)
        return await self._db.read(lambda connection: connection.execute(query).scalar_one())


class SqlSettingsStore:
    """What a deployment gets that says nothing else."""

    def __init__(self, db: Database, *, clock: Clock = now) -> None:
        self._db = db
        self._clock = clock

    async def get_resources(self) -> tuple[Resources, Any]:
        """Return the default resources and when they were changed."""
        return await self._db.read(lambda c: self._read(c, "resources", Resources))

    async def get_network(self) -> tuple[Network, Any]:
        """Return the default network and when it was changed."""
        return await self._db.read(lambda c: self._read(c, "network", Network))

    async def change_resources(self, changes: dict[str, Any]) -> tuple[Resources, Any]:
        """Change what `changes` names."""
        return await self._change("resources", Resources, changes=changes)

    async def change_network(self, changes: dict[str, Any]) -> tuple[Network, Any]:
        """Change what `changes` names.

        Raises:
            InvalidError: the result would be no consistent network.
        """
        return await self._change("network", Network, changes=changes)

    def _read(self, connection: sa.Connection, name: str, kind: type[Any]) -> tuple[Any, Any]:
        row = connection.execute(sa.select(settings).where(settings.c.name == name)).one_or_none()
        return (kind(**json.loads(row.content)), row.updated_at) if row else (kind(), self._clock())

    async def _change(self, name: str, kind: type[Any], *, changes: dict[str, Any]) -> tuple[Any, Any]:
        moment = self._clock()

        def write(connection: sa.Connection) -> tuple[Any, Any]:
            current, _ = self._read(connection, name, kind)
            changed = current.change(changes)
            values = {"content": json.dumps(vars(changed)), "updated_at": moment}
            updated = connection.execute(settings.update().where(settings.c.name == name).values(**values))
            if not updated.rowcount:
                connection.execute(insert_ignore(settings, connection).values(name=name, **values))
            return changed, moment

        return await self._db.write(write)


def _check_name(connection: sa.Connection, name: str, *, host_id: int = 0) -> None:
    taken = connection.execute(
        sa.select(hosts.c.id).where(hosts.c.name == name, hosts.c.id != host_id)
    ).first()
    if taken:
        raise _duplicate(name)


def _duplicate(name: str) -> HostDuplicateError:
    return HostDuplicateError(f"name: a host named {name[:100]!r} is registered already")


def _forget_pin(connection: sa.Connection, host_id: int) -> None:
    """A certificate that was pinned at first sight says nothing about another address."""
    trusting = (hosts.c.id == host_id) & sa.not_(hosts.c.verify_ssl)
    connection.execute(hosts.update().where(trusting).values(fingerprint=""))


def _make_default(connection: sa.Connection, host_id: int) -> None:
    connection.execute(hosts.update().values(is_default=hosts.c.id == host_id))


def _read_row(connection: sa.Connection, host_id: int) -> sa.Row[Any]:
    row = connection.execute(sa.select(hosts).where(hosts.c.id == host_id)).one_or_none()
    if row is None:
        raise HostNotFoundError(f"there is no host {host_id}")
    return row


def _read_host(connection: sa.Connection, host_id: int) -> Host:
    return _build_host(_read_row(connection, host_id))


def _build_host(row: sa.Row[Any]) -> Host:
    hidden = (*_SECRETS, "request_id")
    values = {key: value for key, value in row._mapping.items() if key not in hidden}  # noqa: SLF001 - public name
    values["exec_mode"] = row.exec_mode or guess_exec_mode(
        row.user, has_password=bool(row.password), has_ssh_key=bool(row.ssh_key)
    )
    return Host(**values)


def _build_node(row: sa.Row[Any]) -> Node:
    return Node(
        id=row.id,
        host_id=row.host_id,
        host_name=row.host_name,
        name=row.name,
        status=row.status,
        last_updated=row.last_updated,
        **json.loads(row.facts),
    )
