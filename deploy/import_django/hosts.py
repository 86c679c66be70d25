"""Proxmox hosts with their credentials; nodes are only counted, as they are read from the host."""

from __future__ import annotations

from typing import Any

from proximity.inventory.v1 import inventory_service_pb2 as pb

from deploy.import_django.decryption import Decryptor
from deploy.import_django.plan import Known, Plan, choose_id, find_faults
from deploy.import_django.rows import Row
from services.common.core.clock import now
from services.common.core.errors import DomainError
from services.inventory.domain.entities import (
    DEFAULT_PORT,
    DEFAULT_SSH_PORT,
    DEFAULT_USER,
    Secrets,
    check_address,
    check_credentials,
    check_ssh_key,
)

_TABLE = "proxmox_hosts"
_ADDRESS = ("host", "ip_address", "ip", "hostname", "address")
_ENTER = "enter it with PUT /api/proxmox/hosts/<id>, then its apps are taken over"


def plan_hosts(rows: list[Row], known: Known, plan: Plan, *, decryptor: Decryptor) -> None:
    """Decide about every host; one that is here already, by its name or its address, stays as it is here."""
    names = {row["name"]: row["id"] for row in known.hosts}
    places = {(row["host"].lower(), row["port"]): row for row in known.hosts}
    before, taken = set(names), {row["id"] for row in known.hosts}
    reserved = {row.id for row in rows}
    for row in rows:
        name, address = row.line("name"), row.line(*_ADDRESS)
        registered = places.get((address.lower(), _read_port(row, "port", DEFAULT_PORT)))
        if name in before:
            plan.host_ids[row.id] = names[name]
            plan.report.skip(_TABLE)
        elif registered is not None:
            plan.host_ids[row.id] = registered["id"]
            plan.report.skip(_TABLE)
            plan.report.note(
                _TABLE, row.key, f"is the host {registered['name']!r} here: the address is the same"
            )
        elif fault := _find_fault(name, address):
            plan.report.leave(_TABLE, row.key, fault)
        elif name in names:
            plan.report.leave(_TABLE, row.key, f"the name {name!r} is another host's too")
        else:
            chosen = choose_id(row.id, taken, reserved=reserved)
            names[name] = plan.host_ids[row.id] = chosen
            plan.hosts.append(_build_host(row, chosen, address, decryptor=decryptor))
            plan.report.add(_TABLE)
            plan.report.note_faults(_TABLE, row)
    _choose_default(known, plan)


def _find_fault(name: str, address: str) -> str:
    """Return why the API would refuse a host of this name and address; empty when it would not."""
    faults = find_faults(pb.CreateHostRequest(name=name, host=address))
    for field, said, value in (("name", "name", name), ("host", "address", address)):
        if field in faults:
            return f"the {said} {value[:80]!r} {faults[field]}"
    try:
        check_address(address)
    except DomainError as error:
        return error.message
    return ""


def _build_host(row: Row, host_id: int, address: str, *, decryptor: Decryptor) -> dict[str, Any]:
    current = now()
    return {
        "id": host_id,
        "name": row.line("name"),
        "host": address,
        "port": _read_port(row, "port", DEFAULT_PORT),
        "ssh_port": _read_port(row, "ssh_port", DEFAULT_SSH_PORT),
        "verify_ssl": row.flag("verify_ssl", default=True),
        **_read_credentials(row, decryptor),
        "is_active": row.flag("is_active", default=True),
        "is_default": row.flag("is_default", default=False),
        "created_at": row.time("created_at") or current,
        "updated_at": row.time("updated_at") or current,
    }


def _read_port(row: Row, name: str, default: int) -> int:
    return row.number(name, low=1, high=65_535) or default


def _read_credentials(row: Row, decryptor: Decryptor) -> dict[str, str]:
    """Return user, token and secrets; what the API would refuse is left out."""
    found = {
        "user": row.line("user", "username") or DEFAULT_USER,
        "token_id": row.line("token_id", "token_name"),
        "password": _read_secret(row, decryptor, "password"),
        "token_secret": _read_secret(row, decryptor, "token_secret", "token_value"),
        "ssh_key": _read_secret(row, decryptor, "ssh_key", "ssh_private_key"),
    }
    if path := row.line("ssh_key_path"):
        row.note(f"ssh_key_path {path!r} does not come over: enter the key itself, as ssh_key of the host")
    if "user" in find_faults(pb.CreateHostRequest(user=found["user"])):
        row.fault("user", found["user"], f"is no user@realm: {DEFAULT_USER} without credentials is used")
        found |= {"user": DEFAULT_USER, "password": "", "token_id": "", "token_secret": ""}
    if found["ssh_key"] and (fault := _find_key_fault(found["ssh_key"])):
        row.note(f"{fault}; it does not come over")
        found["ssh_key"] = ""
    if not found["password"] and not (found["token_id"] and found["token_secret"]):
        row.note(f"has no usable password and no usable API token: {_ENTER}")
        return {**found, "token_id": "", "token_secret": ""}
    try:
        check_credentials(found["token_id"], Secrets(found["password"], found["token_secret"]))
    except DomainError as error:
        row.note(f"{error.message}; {_ENTER}")
        found |= {"password": "", "token_id": "", "token_secret": ""}
    return found


def _read_secret(row: Row, decryptor: Decryptor, *names: str) -> str:
    value = row.text(*names)
    plain, fault = decryptor.decrypt(value)
    if fault:
        row.note(f"{names[0]} {fault}: {_ENTER}")
    elif value and plain == value:
        row.note(f"{names[0]} was in plain text; it is sealed here, better change it")
    return plain


def _find_key_fault(key: str) -> str:
    try:
        check_ssh_key(key)
    except DomainError as error:
        return error.message
    return ""


def _choose_default(known: Known, plan: Plan) -> None:
    """Leave exactly one default: the one of here, else the first that is marked, else the first."""
    has_default = any(row["is_default"] for row in known.hosts)
    marked = [row for row in plan.hosts if row["is_default"]] or plan.hosts
    for row in plan.hosts:
        row["is_default"] = not has_default and row is marked[0]
