"""Settings of the Django system: the resources and the network that deployments get by default."""

from __future__ import annotations

import ipaddress
import json
from typing import Any

from google.protobuf.json_format import ParseDict
from proximity.inventory.v1 import settings_pb2 as pb

from deploy.import_django.plan import Known, Plan, find_faults
from deploy.import_django.rows import Row
from services.common.core.clock import now
from services.common.core.errors import DomainError
from services.inventory.domain.entities import DefaultResources, Network

_TABLE = "system_settings"
_RANGES = {
    "default_cpu_cores": (1, 128),
    "default_memory_mb": (256, 524_288),
    "default_disk_gb": (1, 10_240),
    "default_swap_mb": (0, 32_768),
}
# Settings of which nothing exists here, with the values that the Django system gives them.
_WITHOUT_COUNTERPART = {
    "git_repo_path": "/data/git/proximity-state",
    "git_auto_commit": True,
    "default_theme": "rack_proximity",
    "enable_animations": True,
    "enable_ai_agent": False,
    "enable_community_chat": False,
    "enable_multi_host": True,
}


def plan_settings(rows: list[Row], known: Known, plan: Plan) -> None:
    """Take over what a deployment gets by default, unless somebody set it here already."""
    present = {row["name"] for row in known.settings}
    if not rows:
        return
    if present >= {"resources", "network"}:
        plan.report.skip(_TABLE)
        return
    row = rows[0]
    if "resources" not in present:
        _add_settings("resources", vars(_read_resources(row)), plan)
    if "network" not in present:
        _add_settings("network", vars(_read_network(row)), plan)
    _note_others(row)
    for other in rows[1:]:
        plan.report.leave(_TABLE, other.key, "there is one row of settings, the first")
    plan.report.note_faults(_TABLE, row)
    plan.report.add(_TABLE)


def _read_resources(row: Row) -> DefaultResources:
    values = {name: row.number(name, low=low, high=high) for name, (low, high) in _RANGES.items()}
    return DefaultResources(**{name: value for name, value in values.items() if value is not None})


def _read_network(row: Row) -> Network:
    """Return the network, with the default of each value that is unusable and without a second DNS server for NULL."""
    values = {name: row.line(name) for name in vars(Network()) if row.has(name)}
    for name in [name for name, value in values.items() if not value and name != "default_dns_secondary"]:
        del values[name]
    for name, fault in find_faults(ParseDict(values, pb.UpdateNetworkSettingsRequest())).items():
        row.note(f"{name}: {fault}; {vars(Network())[name]} is used")
        del values[name]
    try:
        return Network(**values)
    except DomainError as error:
        return _replace_gateway(row, values, error)


def _replace_gateway(row: Row, values: dict[str, str], error: DomainError) -> Network:
    """Use the first address of the subnet, which the Django system did not compare with the gateway."""
    subnet = ipaddress.ip_network(values.get("default_subnet", Network().default_subnet), strict=False)
    first = str(next(iter(subnet.hosts())))
    row.note(f"{error.message}; {first} is used")
    return Network(**(values | {"default_gateway": first}))


def _note_others(row: Row) -> None:
    dropped = []
    for name, usual in _WITHOUT_COUNTERPART.items():
        if not row.has(name) or row.get(name) is None:
            continue
        value = row.flag(name, default=usual) if isinstance(usual, bool) else row.line(name)
        if value != usual:
            dropped.append(f"{name}={value}")
    if dropped:
        row.note(f"settings that do not exist here do not come over: {', '.join(dropped)}")


def _add_settings(name: str, values: dict[str, Any], plan: Plan) -> None:
    plan.settings.append({"name": name, "content": json.dumps(values), "updated_at": now()})
