"""Completion of arguments and options in the shell: what the platform has, or nothing when it does not answer at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import grpc
import typer
from google.protobuf.descriptor import FieldDescriptor
from proximity.common.v1 import operation_pb2, rules_pb2

from proximity_cli import candidates
from proximity_cli.candidates import Candidate, Reader
from proximity_cli.connection import connect
from proximity_cli.failures import CliError

Complete = Callable[[typer.Context, str], list[Candidate]]
# Shells evaluate what they are given, and users choose names: whatever has another character is not offered.
_VALUE = re.compile(r"[\w@%+=:,./-]+")
_NOT_IN_HELP = re.compile(r"[^\w@%+=:,./-]+")

_BY_FIELD: Mapping[str, Reader] = {
    "action": candidates.list_actions,
    "app_id": candidates.list_apps,
    "app_ids": candidates.list_apps,
    "architecture": candidates.list_architectures,
    "backup_id": candidates.list_app_backups,
    "category": candidates.list_categories,
    "default_bridge": candidates.list_bridges,
    "excluded_app_ids": candidates.list_apps,
    "host_id": candidates.list_hosts,
    "node": candidates.list_nodes,
    "node_name": candidates.list_nodes,
    "operation_id": candidates.list_operations,
    "owner": candidates.list_accounts,
    "owner_ids": candidates.list_accounts,
    "policy_id": candidates.list_policies,
    "restore_test_bridge": candidates.list_bridges,
    "restore_test_storage": candidates.list_storages,
    "second_storage": candidates.list_storages,
    "source": candidates.list_source_names,
    "source_id": candidates.list_sources,
    "storage": candidates.list_storages,
    "storages": candidates.list_storages,
    "suggested_type": candidates.list_items,
    "target_node": candidates.list_migration_targets,
    "time_zone": candidates.list_time_zones,
    "unset": candidates.list_value_names,
    "user_id": candidates.list_accounts,
    "vmid": candidates.list_containers,
}
# Fields whose name does not tell what they name, by request or by package.
_BY_REQUEST: Mapping[str, Reader] = {
    "proximity.apps.v1.ReplayOperationRequest.operation_id": candidates.list_app_dead_letters,
    "proximity.auth.v1.DeleteApiTokenRequest.id": candidates.list_tokens,
    "proximity.auth.v1.GetSessionRequest.id": candidates.list_sessions,
    "proximity.auth.v1.UpdateUserRequest.id": candidates.list_accounts,
    "proximity.backups.v1.ListBackupsRequest.app_id": candidates.list_apps,
    "proximity.backups.v1.ReplayBackupOperationRequest.operation_id": candidates.list_backup_dead_letters,
    "proximity.inventory.v1.GetNodeMetricsRequest.id": candidates.list_node_ids,
    "proximity.backups.v1.app_id": candidates.list_backed_up_apps,
    "proximity.auth.v1.user": candidates.list_usernames,
    "proximity.catalog.v1.app_id": candidates.list_items,
    "proximity.inventory.v1.id": candidates.list_hosts,
}


def complete(reader: Reader) -> Complete:
    """Return a completion of what a reader finds, for a shell; nothing while the platform refuses or is away."""

    def find(context: typer.Context, incomplete: str) -> list[Candidate]:
        try:
            found = list(reader(connect(), _read_given(context)))
        except (CliError, grpc.RpcError, OSError, ValueError):
            return []
        return _select(found, incomplete)

    return find


def _read_given(context: typer.Context) -> dict[str, Any]:
    """Return what was given before the argument that is completed, by name.

    Behind an option that lacks its value, typer leaves the arguments unassigned.
    """
    given = dict(context.params)
    unassigned = list(context.args)
    for parameter in context.command.params:
        if parameter.param_type_name == "argument" and parameter.nargs == 1 and unassigned:
            given[parameter.name or ""] = unassigned.pop(0)
    return given


def complete_choices(choices: Iterable[str]) -> Complete:
    """Return a completion of fixed words."""
    found = [(choice, "") for choice in choices]

    def find(_context: typer.Context, incomplete: str) -> list[Candidate]:
        return _select(found, incomplete)

    return find


def complete_field(field: FieldDescriptor) -> Complete | None:
    """Return the completion of a field of a request: of its choices, or of what it names."""
    rules = field.GetOptions().Extensions[rules_pb2.rules]
    if field.name == "kind":
        kinds = operation_pb2.Operation.DESCRIPTOR.fields_by_name["kind"]
        return complete_choices(kinds.GetOptions().Extensions[rules_pb2.rules].values)
    if choices := getattr(rules, "in"):
        return complete_choices(choices)
    package = field.full_name.rsplit(".", 2)[0]
    by_package = _BY_REQUEST.get(f"{package}.{field.name}")
    reader = _BY_REQUEST.get(field.full_name) or by_package or _BY_FIELD.get(field.name)
    return complete(reader) if reader else None


def _select(found: Iterable[Candidate], incomplete: str) -> list[Candidate]:
    """Return each candidate once that begins with what was typed and that every shell takes as one word."""
    texts: dict[str, str] = {}
    for value, text in found:
        if value.startswith(incomplete) and _VALUE.fullmatch(value):
            texts.setdefault(value, _NOT_IN_HELP.sub(" ", text).strip())
    return list(texts.items())


complete_apps = complete(candidates.list_apps)
complete_backed_up_apps = complete(candidates.list_backed_up_apps)
complete_backups = complete(candidates.list_app_backups)
complete_hosts = complete(candidates.list_hosts)
complete_items = complete(candidates.list_items)
complete_nodes = complete(candidates.list_nodes)
complete_operations = complete(candidates.list_operations)
complete_owners = complete(candidates.list_accounts)
complete_services = complete(candidates.list_services)
complete_sessions = complete(candidates.list_sessions)
complete_storages = complete(candidates.list_storages)
complete_users = complete(candidates.list_usernames)
complete_values = complete(candidates.list_value_names)
