"""Hosts, their secrets and their nodes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from proximity.inventory.v1 import events_pb2

from services.common.core.clock import Clock, now
from services.common.core.text import make_printable
from services.common.db.database import Database, insert_ignore
from services.common.db.queries import Query, RowParser
from services.common.identity.keys import Sealer
from services.common.messaging.outbox import add_messages, new_message
from services.inventory.domain.entities import (
    Host,
    NewHost,
    Node,
    Secrets,
    check_address,
    check_credentials,
    full_token_id,
)
from services.inventory.domain.errors import HostInUseError, HostNotFoundError
from services.inventory.domain.patches import HostChanges, check_destination
from services.inventory.store.rows import (
    FACTS,
    build_host,
    build_node,
    check_name,
    duplicate,
    forget_pin,
    host_not_found,
    make_default,
    note_state,
    read_host,
    read_row,
    render_ssh_addresses,
)
from services.inventory.store.tables import SECRETS, addresses, hosts, nodes, outbox, ssh_keys, vmids

_HOST_COLUMNS = tuple(
    (each != "").label(each.name) if each.name in SECRETS else each
    for each in hosts.c
    if each.name != "request_id"
)
_NODE_COLUMNS = (*nodes.c, hosts.c.name.label("host_name"))
_HOST, _NODE = RowParser(_HOST_COLUMNS), RowParser(_NODE_COLUMNS)
_BY_NAME = (sa.func.lower(hosts.c.name), hosts.c.name)  # whatever the case, as people read lists
_HOSTS = Query(sa.select(*_HOST_COLUMNS).order_by(hosts.c.is_default.desc(), *_BY_NAME))
_HOST_BY_ID = Query(sa.select(*_HOST_COLUMNS).where(hosts.c.id == sa.bindparam("id")))
_every_node = sa.select(*_NODE_COLUMNS).join_from(nodes, hosts).order_by(*_BY_NAME, nodes.c.name)
_NODES = Query(_every_node)
_NODES_OF_HOST = Query(_every_node.where(nodes.c.host_id == sa.bindparam("host")))
HOST_DELETED = "events.inventory.v1.host_deleted"


class SqlHostStore:
    """Hosts, their secrets and their nodes."""

    def __init__(self, db: Database, sealer: Sealer, *, clock: Clock = now) -> None:
        self._db = db
        self._sealer = sealer
        self._clock = clock

    async def list_hosts(self) -> list[Host]:
        """Return the hosts, the default one first, then by name."""
        return [build_host(_HOST.parse(row)) for row in await self._db.fetch(_HOSTS, {})]

    async def get_host(self, host_id: int) -> Host:
        """Return one host.

        Raises:
            HostNotFoundError: there is none.
        """
        rows = await self._db.fetch(_HOST_BY_ID, {"id": host_id})
        if not rows:
            raise host_not_found(host_id)
        return build_host(_HOST.parse(rows[0]))

    async def get_secrets(self, host_id: int) -> Secrets:
        """Return what a host is signed in to with.

        Raises:
            HostNotFoundError: there is no such host.
            SealBrokenError: they were sealed with another SECRET_KEY.
        """
        row = await self._db.read(lambda connection: read_row(connection, host_id))
        return self._open(row._asdict(), host_id)

    async def add_host(self, new: NewHost, *, request_id: str | None = None) -> Host:
        """Register a host; the first one becomes the default. The same request_id registers once.

        Raises:
            HostDuplicateError: the name is taken.
        """
        moment = self._clock()

        def write(connection: sa.Connection) -> Host:
            # A repetition whose answer was lost returns the host that it registered.
            if request_id:
                known = connection.execute(
                    sa.select(hosts.c.id).where(hosts.c.request_id == request_id)
                ).scalar()
                if known is not None:
                    return read_host(connection, known)
            check_name(connection, new.name)
            # The first host is the default one, also when the request does not ask for it.
            first = connection.execute(sa.select(sa.func.count()).select_from(hosts)).scalar_one() == 0
            values = {name: value for name, value in vars(new).items() if name in hosts.c}
            values["ssh_addresses"] = render_ssh_addresses(new.ssh_addresses)
            values |= {"is_active": True, "is_default": False, "created_at": moment, "updated_at": moment}
            result = connection.execute(hosts.insert().values(**values, request_id=request_id))
            (host_id,) = result.inserted_primary_key or (0,)
            self._write_secrets(connection, host_id, secrets=new.secrets)
            if first or new.is_default:
                make_default(connection, host_id, moment=moment)
            return read_host(connection, host_id)

        try:
            return await self._db.write(write)
        except sa.exc.IntegrityError:
            raise duplicate(new.name) from None

    async def update_host(self, host_id: int, changes: HostChanges) -> Host:
        """Change a host; secrets are sealed.

        Raises:
            HostNotFoundError: there is no such host.
            HostDuplicateError: the name is taken.
            InvalidError: the credentials would be incomplete, or would go to another destination unseen.
        """
        moment = self._clock()
        given = changes.given
        if changes.ssh_addresses is not None:
            given["ssh_addresses"] = render_ssh_addresses(changes.ssh_addresses)

        def write(connection: sa.Connection) -> Host:
            row = read_row(connection, host_id)
            if changes.name is not None:
                check_name(connection, changes.name, host_id=host_id)
            plain = {key: value for key, value in given.items() if key not in (*SECRETS, "is_default")}
            if "token_id" in plain:
                plain["token_id"] = full_token_id(plain.get("user", row.user), plain["token_id"])
            if changes.host is not None:
                check_address(changes.host)
            values = row._asdict()
            check_destination(build_host(values), changes, stored=[name for name in SECRETS if values[name]])
            anew = {key: given[key] for key in SECRETS if key in given}
            if anew or "token_id" in given:
                secrets = self._open({**values, **dict.fromkeys(anew, "")}, host_id)
                secrets = dataclasses.replace(secrets, **anew)
                check_credentials(plain.get("token_id", row.token_id), secrets)
                self._write_secrets(connection, host_id, secrets=secrets)
                plain["exec_mode"] = ""  # another way may lead in now
            connection.execute(hosts.update().where(hosts.c.id == host_id).values(**plain, updated_at=moment))
            if changes.is_default:
                make_default(connection, host_id, moment=moment)
            if {"host", "port"} & given.keys() and changes.fingerprint is None:
                # A certificate that was pinned at the first connection is that of another address.
                forget_pin(connection, host_id)
            if {"host", "ssh_port", "ssh_addresses"} & given.keys():
                # Another server has other host keys: they are pinned anew.
                connection.execute(ssh_keys.delete().where(ssh_keys.c.host_id == host_id))
            return read_host(connection, host_id)

        try:
            return await self._db.write(write)
        except sa.exc.IntegrityError:
            raise duplicate(changes.name or "") from None

    async def delete_host(self, host_id: int) -> None:
        """Forget a host.

        Raises:
            HostNotFoundError: there is none.
            HostInUseError: apps live there.
        """

        def write(connection: sa.Connection) -> None:
            host = read_host(connection, host_id)
            count = connection.execute(
                sa.select(sa.func.count()).select_from(vmids).where(vmids.c.host_id == host_id)
            ).scalar_one()
            if count:
                raise HostInUseError(f"{count} apps live on {host.name!r}; remove or move them first")
            for table in (ssh_keys, nodes, addresses):
                connection.execute(table.delete().where(table.c.host_id == host_id))
            connection.execute(hosts.delete().where(hosts.c.id == host_id))
            if host.is_default:
                heir = connection.execute(sa.select(hosts.c.id).order_by(*_BY_NAME).limit(1)).scalar()
                if heir is not None:
                    make_default(connection, heir, moment=self._clock())
            event = events_pb2.HostDeleted(host_id=host_id, name=host.name)
            # In the same transaction: the event is sent if and only if the host is gone.
            add_messages(connection, outbox, messages=[new_message(HOST_DELETED, event)])

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
            connection.execute(note_state(host_id).values(**values))
            # Nodes that left the cluster go; the others keep their ids.
            names = [node.name for node in found]
            connection.execute(nodes.delete().where(nodes.c.host_id == host_id, nodes.c.name.not_in(names)))
            for node in found:
                facts = json.dumps({name: getattr(node, name) for name in FACTS})
                row = {"status": node.status, "facts": facts, "last_updated": moment}
                if node.allocated is not None:
                    row["allocated"] = json.dumps(dataclasses.asdict(node.allocated))
                if node.architecture:  # what was known stays where a node did not say this time
                    row["architecture"] = node.architecture
                changed = connection.execute(
                    nodes.update().where(nodes.c.host_id == host_id, nodes.c.name == node.name).values(**row)
                )
                if not changed.rowcount:
                    connection.execute(
                        insert_ignore(nodes, connection).values(host_id=host_id, name=node.name, **row)
                    )

        try:
            await self._db.write(write, is_final=False)
        except sa.exc.IntegrityError:
            raise HostNotFoundError(f"host {host_id} was deleted meanwhile") from None

    async def note_certificate(self, host_id: int, expires_at: datetime) -> None:
        """Write down when the first certificate of a host's nodes expires."""
        change = note_state(host_id).values(certificate_expires_at=expires_at)
        await self._db.write(lambda connection: connection.execute(change), is_final=False)

    async def note_silence(self, host_id: int, error: str) -> None:
        """Write down that a host does not answer; its nodes are unknown from then on."""

        def write(connection: sa.Connection) -> None:
            values = {"status": "offline", "last_error": make_printable(error)[:1000]}
            connection.execute(note_state(host_id).values(**values))
            connection.execute(nodes.update().where(nodes.c.host_id == host_id).values(status="unknown"))

        await self._db.write(write, is_final=False)

    async def pin_fingerprint(self, host_id: int, fingerprint: str) -> Host:
        """Pin the certificate shown at the first connection, unless one is pinned already."""
        change = note_state(host_id).where(hosts.c.fingerprint == "").values(fingerprint=fingerprint)

        def write(connection: sa.Connection) -> Host:
            connection.execute(change)
            return read_host(connection, host_id)

        return await self._db.write(write, is_final=False)

    async def list_nodes(self, host_id: int | None = None) -> list[Node]:
        """Return the nodes as last seen, by host and name."""
        if host_id is None:
            rows = await self._db.fetch(_NODES, {})
        else:
            rows = await self._db.fetch(_NODES_OF_HOST, {"host": host_id})
        return [build_node(_NODE.parse(row)) for row in rows]

    async def find_ssh_key(self, host_id: int, address: str) -> str:
        """Return the SSH host key pinned for an address; empty when none is."""
        query = sa.select(ssh_keys.c.public_key).where(
            ssh_keys.c.host_id == host_id, ssh_keys.c.address == address
        )
        return str(await self._db.read(lambda c: c.execute(query).scalar()) or "")

    async def pin_ssh_key(self, host_id: int, address: str, *, public_key: str) -> None:
        """Pin an SSH host key, unless one is pinned already."""
        values = {"host_id": host_id, "address": address, "public_key": public_key}
        await self._db.write(lambda c: c.execute(insert_ignore(ssh_keys, c).values(**values)), is_final=False)

    def _write_secrets(self, connection: sa.Connection, host_id: int, *, secrets: Secrets) -> None:
        sealed = {
            name: self._sealer.seal(getattr(secrets, name), place=f"hosts.{name}.{host_id}")
            if getattr(secrets, name)
            else ""
            for name in SECRETS
        }
        connection.execute(hosts.update().where(hosts.c.id == host_id).values(**sealed))

    def _open(self, values: Mapping[str, Any], host_id: int) -> Secrets:
        opened = {
            name: self._sealer.open(values[name], place=f"hosts.{name}.{host_id}") if values[name] else ""
            for name in SECRETS
        }
        return Secrets(**opened)
