"""Proxmox hosts with their credentials, and the system's settings; nodes are only counted, they are found anew."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from deploy.import_django.plan import Known, Plan, choose_id
from deploy.import_django.source import Row
from services.common.core.clock import now
from services.common.core.errors import DomainError
from services.inventory.domain.entities import (
    DEFAULT_PORT,
    DEFAULT_SSH_PORT,
    DEFAULT_USER,
    DefaultResources,
    Network,
)

_HOSTS = "proxmox_hosts"
_SETTINGS = "system_settings"
_RANGES = {
    "default_cpu_cores": (1, 128),
    "default_memory_mb": (256, 524_288),
    "default_disk_gb": (1, 10_240),
    "default_swap_mb": (0, 32_768),
}
_ENCRYPTED = "gAAAA"  # how every Fernet token begins


def plan_hosts(rows: list[Row], known: Known, plan: Plan) -> None:
    """Decide about every host; one whose name is here already stays as here."""
    names = {row["name"]: row["id"] for row in known.hosts}
    before, taken = set(names), {row["id"] for row in known.hosts}
    reserved = {row.id for row in rows}
    for row in rows:
        name, address = row.text("name"), row.text("host", "ip_address", "ip", "hostname", "address")
        if name in before:
            plan.host_ids[row.id] = names[name]
            plan.report.skip(_HOSTS)
        elif not name or not address or len(name) > 100 or len(address) > 253:
            plan.report.leave(
                _HOSTS, row.id, f"the name {name[:100]!r} or the address {address[:253]!r} is no good"
            )
        elif name in names:
            plan.report.leave(_HOSTS, row.id, f"the name {name!r} is another host's too")
        else:
            chosen = choose_id(row.id, taken, reserved=reserved)
            names[name] = plan.host_ids[row.id] = chosen
            plan.hosts.append(_build_host(row, chosen, address, plan))
            plan.report.add(_HOSTS)
    _choose_default(known, plan)


def _build_host(row: Row, host_id: int, address: str, plan: Plan) -> dict[str, Any]:
    current = now()
    return {
        "id": host_id,
        "name": row.text("name"),
        "host": address,
        "port": row.number("port") or DEFAULT_PORT,
        "user": row.text("user", "username") or DEFAULT_USER,
        "ssh_port": row.number("ssh_port") or DEFAULT_SSH_PORT,
        "verify_ssl": row.flag("verify_ssl", default=True),
        "token_id": row.text("token_id", "token_name"),
        **_read_secrets(row, plan),
        "is_active": row.flag("is_active", default=True),
        "is_default": row.flag("is_default", default=False),
        "created_at": row.time("created_at") or current,
        "updated_at": row.time("updated_at") or current,
    }


def _read_secrets(row: Row, plan: Plan) -> dict[str, str]:
    found = {
        "password": row.text("password"),
        "token_secret": row.text("token_secret", "token_value"),
        "ssh_key": row.text("ssh_key", "ssh_private_key"),
    }
    for name, value in found.items():
        if value.startswith(_ENCRYPTED):
            plan.report.note(_HOSTS, row.id, f"{name} is encrypted by the old system: enter it anew")
            found[name] = ""
        elif value:
            plan.report.note(_HOSTS, row.id, f"{name} was in plain text; it is sealed here, better change it")
    if not any(found.values()):
        plan.report.note(_HOSTS, row.id, "has no credentials: enter them with PUT /api/proxmox/hosts/<id>")
    return found


def _choose_default(known: Known, plan: Plan) -> None:
    """Exactly one default: the one of here, else the first marked so, else the first."""
    has_default = any(row["is_default"] for row in known.hosts)
    marked = [row for row in plan.hosts if row["is_default"]] or plan.hosts
    for row in plan.hosts:
        row["is_default"] = not has_default and row is marked[0]


def plan_settings(rows: list[Row], known: Known, plan: Plan) -> None:
    """Take over what a deployment gets by default, unless somebody set it here already."""
    present = {row["name"] for row in known.settings}
    if not rows:
        return
    if present >= {"resources", "network"}:
        plan.report.skip(_SETTINGS)
        return
    if "resources" not in present:
        _add_settings(
            "resources", _read_resources(rows[0], plan), lambda values: DefaultResources(**values), plan
        )
    if "network" not in present:
        network = {name: rows[0].text(name) for name in vars(Network()) if rows[0].get(name) is not None}
        _add_settings("network", network, lambda values: Network(**values), plan)
    plan.report.add(_SETTINGS)


def _read_resources(row: Row, plan: Plan) -> dict[str, Any]:
    values = {}
    for name, (low, high) in _RANGES.items():
        value = row.number(name)
        if value is not None and low <= value <= high:
            values[name] = value
        elif row.get(name) is not None:
            plan.report.note(_SETTINGS, name, f"{row.get(name)!r} is not between {low} and {high}")
    return values


def _add_settings(
    name: str, values: dict[str, Any], build: Callable[[dict[str, Any]], Any], plan: Plan
) -> None:
    try:
        content = json.dumps(vars(build(values)))
    except DomainError as error:
        plan.report.note(_SETTINGS, name, f"{error.message}; the defaults stay")
        return
    plan.settings.append({"name": name, "content": content, "updated_at": now()})
