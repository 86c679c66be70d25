"""Rows of hosts and nodes, read and checked inside a transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.inventory.domain.entities import (
    Allocation,
    Host,
    Node,
    guess_exec_mode,
)
from services.inventory.domain.errors import (
    HostDuplicateError,
    HostNotFoundError,
)
from services.inventory.store.tables import SECRETS, hosts

FACTS = (
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


_HIDDEN = frozenset({*SECRETS, "request_id"})


def check_name(connection: sa.Connection, name: str, *, host_id: int = 0) -> None:
    """Refuse a name that another host has."""
    # The constraint of the table refuses it as well, in words of the driver that no user understands.
    taken = connection.execute(
        sa.select(hosts.c.id).where(hosts.c.name == name, hosts.c.id != host_id)
    ).first()
    if taken:
        raise duplicate(name)


def duplicate(name: str) -> HostDuplicateError:
    """Build the refusal of a taken name."""
    return HostDuplicateError(f"name: a host named {name[:100]!r} is registered already")


def note_state(host_id: int) -> sa.Update:
    """Begin to write down what a host answers, which is no change of its settings.

    Clients of a host are opened anew whenever its settings were changed after them.
    """
    return hosts.update().where(hosts.c.id == host_id).values(updated_at=hosts.c.updated_at)


def forget_pin(connection: sa.Connection, host_id: int) -> None:
    """Remove a certificate that was pinned at the first connection: it is that of another address."""
    connection.execute(note_state(host_id).where(sa.not_(hosts.c.verify_ssl)).values(fingerprint=""))


def make_default(connection: sa.Connection, host_id: int, *, moment: datetime) -> None:
    """Make one host the default, and the others not."""
    wanted = hosts.c.id == host_id
    # Only rows that differ: clients of the other hosts would be opened anew for a later `updated_at`.
    change = hosts.update().where(hosts.c.is_default != wanted)
    connection.execute(change.values(is_default=wanted, updated_at=moment))


def read_row(connection: sa.Connection, host_id: int) -> sa.Row[Any]:
    """Return the row of a host, or raise HostNotFoundError."""
    row = connection.execute(sa.select(hosts).where(hosts.c.id == host_id)).one_or_none()
    if row is None:
        raise host_not_found(host_id)
    return row


def host_not_found(host_id: int) -> HostNotFoundError:
    """Build the refusal of an id that no host has."""
    return HostNotFoundError(f"there is no host {host_id}")


def read_host(connection: sa.Connection, host_id: int) -> Host:
    """Return a host, or raise HostNotFoundError."""
    return build_host(read_row(connection, host_id)._asdict())


def build_host(row: Mapping[str, Any]) -> Host:
    """Build a host without its secrets; columns of secrets are only tested for being empty."""
    values = {key: value for key, value in row.items() if key not in _HIDDEN}
    values["exec_mode"] = row["exec_mode"] or guess_exec_mode(
        row["user"], has_password=bool(row["password"]), has_ssh_key=bool(row["ssh_key"])
    )
    values["ssh_addresses"] = json.loads(row["ssh_addresses"] or "{}")
    return Host(**values)


def render_ssh_addresses(addresses: Mapping[str, str]) -> str:
    """Render the column `ssh_addresses`: JSON, the same for the same addresses; empty for none."""
    return json.dumps(dict(addresses), sort_keys=True) if addresses else ""


def build_node(row: Mapping[str, Any]) -> Node:
    """Build a node as it was read last."""
    values = {key: value for key, value in row.items() if key not in {"facts", "allocated"}}
    facts = {name: value for name, value in json.loads(row["facts"]).items() if name in FACTS}
    allocated = Allocation(**json.loads(row["allocated"])) if row["allocated"] else None
    return Node(**values, **facts, allocated=allocated)
