"""Readers of the ids and names that the platform has, each with the text that a shell shows beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from zoneinfo import available_timezones

from google.protobuf.empty_pb2 import Empty
from proximity.apps.v1 import apps_service_pb2 as apps_pb
from proximity.auth.v1 import auth_service_pb2 as auth_pb
from proximity.backups.v1 import backups_service_pb2 as backups_pb
from proximity.backups.v1 import policy_pb2
from proximity.catalog.v1 import catalog_service_pb2 as catalog_pb
from proximity.common.v1 import operation_pb2
from proximity.inventory.v1 import inventory_service_pb2 as inventory_pb

from proximity_cli.connection import Platform

Candidate = tuple[str, str]
# From the platform and the arguments before the one that is completed, by name.
Reader = Callable[[Platform, Mapping[str, Any]], Iterable[Candidate]]
_TIMEOUT_S = 3.0  # a shell that waits longer than this seems to hang
_PER_PAGE = 100  # the most that a page may have
_MOST_PAGES = 10  # 1,000 entries: more than a person chooses among, and seconds to read


def list_apps(platform: Platform, _given: Mapping[str, Any]) -> Iterator[Candidate]:
    """Yield ids of apps with their names, newest first."""
    request = apps_pb.ListAppsRequest(per_page=_PER_PAGE)
    for _ in range(_MOST_PAGES):
        found = platform.read(platform.apps.ListApps, request, _TIMEOUT_S).apps
        yield from ((app.id, f"{app.name}, {app.status}") for app in found)
        if len(found) < _PER_PAGE:
            return
        request.after = found[-1].id


def list_backed_up_apps(platform: Platform, given: Mapping[str, Any]) -> Iterator[Candidate]:
    """Yield ids of apps, then of those deleted ones that have backups."""
    yield from list_apps(platform, given)
    request = backups_pb.ListAllBackupsRequest(app_removed=True, per_page=_PER_PAGE)
    for backup in platform.read(platform.backups.ListAllBackups, request, _TIMEOUT_S).backups:
        yield backup.application_id, f"{backup.app_name}, deleted"


def list_app_backups(platform: Platform, given: Mapping[str, Any]) -> Iterator[Candidate]:
    """Yield numbers of backups with their time, newest first: of the app that was given, else of all."""
    request = backups_pb.ListAllBackupsRequest(app_id=given.get("app_id"), per_page=_PER_PAGE)
    for backup in platform.read(platform.backups.ListAllBackups, request, _TIMEOUT_S).backups:
        made = backup.created_at.ToDatetime().strftime("%Y-%m-%d %H:%M UTC")
        yield str(backup.id), f"{backup.application_id}, {backup.status}, {made}"


def list_policies(platform: Platform, _given: Mapping[str, Any]) -> Iterator[Candidate]:
    """Yield numbers of backup policies with their names."""
    request = policy_pb2.ListBackupPoliciesRequest()
    for policy in platform.read(platform.backups.ListBackupPolicies, request, _TIMEOUT_S).policies:
        yield str(policy.id), policy.name


def list_operations(platform: Platform, given: Mapping[str, Any]) -> Iterable[Candidate]:
    """Return ids of the newest operations, on the app that was given or on all."""
    request = apps_pb.ListAllOperationsRequest(app_id=given.get("app_id"), per_page=_PER_PAGE)
    return _describe(platform.read(platform.apps.ListAllOperations, request, _TIMEOUT_S).operations)


def list_app_dead_letters(platform: Platform, _given: Mapping[str, Any]) -> Iterable[Candidate]:
    """Return ids of operations on apps that failed for good."""
    request = apps_pb.ListDeadLettersRequest(per_page=_PER_PAGE)
    return _describe(platform.read(platform.apps.ListDeadLetters, request, _TIMEOUT_S).operations)


def list_backup_dead_letters(platform: Platform, _given: Mapping[str, Any]) -> Iterable[Candidate]:
    """Return ids of operations on backups that failed for good."""
    request = backups_pb.ListBackupDeadLettersRequest(per_page=_PER_PAGE)
    return _describe(platform.read(platform.backups.ListBackupDeadLetters, request, _TIMEOUT_S).operations)


def _describe(operations: Iterable[operation_pb2.Operation]) -> Iterator[Candidate]:
    return ((each.id, f"{each.app_id}, {each.kind}, {each.status}") for each in operations)


def list_containers(platform: Platform, given: Mapping[str, Any]) -> Iterator[Candidate]:
    """Yield VMIDs of containers that no app owns: on the host that was given, else on all."""
    request = apps_pb.DiscoverContainersRequest(host_id=_get_host(given))
    for container in platform.stream(platform.apps.DiscoverContainers, request, _TIMEOUT_S):
        yield str(container.vmid), f"{container.name} on {container.node}, {container.status}"


def list_migration_targets(platform: Platform, given: Mapping[str, Any]) -> Iterator[Candidate]:
    """Yield the nodes that the app may move to, with the reason where it does not fit."""
    request = apps_pb.ListMigrationTargetsRequest(app_id=_get_app(given))
    for target in platform.read(platform.apps.ListMigrationTargets, request, _TIMEOUT_S).targets:
        yield target.node, target.reason or "fits"


def list_value_names(platform: Platform, given: Mapping[str, Any]) -> Iterator[Candidate]:
    """Yield the names of the values of the app."""
    app = platform.read(platform.apps.GetApp, apps_pb.GetAppRequest(app_id=_get_app(given)), _TIMEOUT_S)
    return ((name, "secret" if name in app.masked else "") for name in app.environment)


def list_services(platform: Platform, given: Mapping[str, Any]) -> Iterator[Candidate]:
    """Yield the services of the app that wrote something lately."""
    request = apps_pb.GetAppOutputRequest(app_id=_get_app(given), tail=1000)
    lines = platform.read(platform.apps.GetAppOutput, request, _TIMEOUT_S).lines
    return ((line.service, "") for line in lines)


def _get_host(given: Mapping[str, Any]) -> int | None:
    return int(given["host_id"]) if given.get("host_id") else None


def _get_app(given: Mapping[str, Any]) -> str:
    return str(given.get("app_id") or "")


def list_items(platform: Platform, _given: Mapping[str, Any]) -> Iterator[Candidate]:
    """Yield ids of catalog items with their names."""
    request = catalog_pb.ListItemsRequest(view="summary")
    for item in platform.read(platform.catalog.ListItems, request, _TIMEOUT_S).applications:
        yield item.id, item.name


def list_categories(platform: Platform, _given: Mapping[str, Any]) -> Iterator[Candidate]:
    """Yield the categories of the catalog."""
    answer = platform.read(platform.catalog.ListCategories, Empty(), _TIMEOUT_S)
    return ((name, "") for name in answer.categories)


def list_sources(platform: Platform, _given: Mapping[str, Any]) -> Iterator[Candidate]:
    """Yield numbers of catalog sources with their names."""
    for source in platform.read(platform.catalog.ListSources, Empty(), _TIMEOUT_S).sources:
        yield str(source.id), source.name


def list_source_names(platform: Platform, given: Mapping[str, Any]) -> Iterator[Candidate]:
    """Yield names of catalog sources."""
    return ((name, "") for _, name in list_sources(platform, given))


def list_hosts(platform: Platform, _given: Mapping[str, Any]) -> Iterator[Candidate]:
    """Yield numbers of Proxmox hosts with their names."""
    for host in platform.stream(platform.hosts.ListHosts, Empty(), _TIMEOUT_S):
        yield str(host.id), host.name


def list_nodes(platform: Platform, given: Mapping[str, Any]) -> Iterator[Candidate]:
    """Yield names of nodes: of the host that was given, else of all."""
    return ((node.name, f"{node.host_name}, {node.status}") for node in _read_nodes(platform, given))


def list_node_ids(platform: Platform, given: Mapping[str, Any]) -> Iterator[Candidate]:
    """Yield numbers of nodes with their names."""
    return ((str(node.id), f"{node.name} of {node.host_name}") for node in _read_nodes(platform, given))


def list_architectures(platform: Platform, given: Mapping[str, Any]) -> Iterator[Candidate]:
    """Yield the architectures of the nodes."""
    return ((node.architecture, "") for node in _read_nodes(platform, given))


def _read_nodes(platform: Platform, given: Mapping[str, Any]) -> Iterable[Any]:
    request = inventory_pb.ListNodesRequest(host_id=_get_host(given))
    return platform.stream(platform.hosts.ListNodes, request, _TIMEOUT_S)


def list_storages(platform: Platform, given: Mapping[str, Any]) -> Iterator[Candidate]:
    """Yield names of storages with what they take: of the host that was given, else of all."""
    request = inventory_pb.ListStoragesRequest(host_id=_get_host(given))
    for storage in platform.stream(platform.hosts.ListStorages, request, _TIMEOUT_S):
        yield storage.name, f"{storage.type}, {', '.join(storage.content)}"


def list_bridges(platform: Platform, _given: Mapping[str, Any]) -> Iterator[Candidate]:
    """Yield names of the bridges that apps may use."""
    return ((each.bridge, "") for each in platform.stream(platform.system.ListNetworks, Empty(), _TIMEOUT_S))


def list_usernames(platform: Platform, given: Mapping[str, Any]) -> Iterator[Candidate]:
    """Yield names of accounts."""
    return ((name, "") for _, name in list_accounts(platform, given))


def list_accounts(platform: Platform, _given: Mapping[str, Any]) -> Iterator[Candidate]:
    """Yield numbers of accounts with their names."""
    request = auth_pb.ListUsersRequest(per_page=_PER_PAGE)
    for _ in range(_MOST_PAGES):
        found = platform.read(platform.auth.ListUsers, request, _TIMEOUT_S).users
        yield from ((str(user.id), user.username) for user in found)
        if len(found) < _PER_PAGE:
            return
        request.after = found[-1].id


def list_tokens(platform: Platform, _given: Mapping[str, Any]) -> Iterator[Candidate]:
    """Yield numbers of the account's API tokens with their names."""
    for token in platform.read(platform.auth.ListApiTokens, Empty(), _TIMEOUT_S).tokens:
        yield str(token.id), token.name


def list_sessions(platform: Platform, _given: Mapping[str, Any]) -> Iterator[Candidate]:
    """Yield ids of the account's sessions with address and program."""
    for session in platform.read(platform.auth.ListSessions, Empty(), _TIMEOUT_S).sessions:
        yield session.id, f"{session.address}, {session.user_agent}"


def list_actions(platform: Platform, _given: Mapping[str, Any]) -> Iterator[Candidate]:
    """Yield the actions of the newest audit entries."""
    request = auth_pb.ListAuditEntriesRequest(per_page=_PER_PAGE)
    entries = platform.read(platform.auth.ListAuditEntries, request, _TIMEOUT_S).entries
    return ((entry.action, "") for entry in entries)


def list_time_zones(_platform: Platform, _given: Mapping[str, Any]) -> Iterator[Candidate]:
    """Yield the names of time zones."""
    return ((name, "") for name in sorted(available_timezones()))
