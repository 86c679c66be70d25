"""Completion of ids in the shell: what the platform has, or nothing when it does not answer at once."""

from __future__ import annotations

from collections.abc import Callable

import grpc
from google.protobuf.empty_pb2 import Empty
from proximity.apps.v1 import apps_service_pb2
from proximity.auth.v1 import auth_service_pb2
from proximity.catalog.v1 import catalog_service_pb2

from proximity_cli.connection import Platform, connect
from proximity_cli.failures import CliError

Complete = Callable[[str], list[str]]
_TIMEOUT_S = 3.0  # a shell that waits longer than this seems to hang


def complete_apps(incomplete: str) -> list[str]:
    """Return the ids of apps that begin with what was typed."""
    request = apps_service_pb2.ListAppsRequest(page=1, per_page=100)
    return _find(incomplete, lambda p: [app.id for app in p.read(p.apps.ListApps, request, _TIMEOUT_S).apps])


def complete_items(incomplete: str) -> list[str]:
    """Return the ids of catalog items that begin with what was typed."""
    request = catalog_service_pb2.ListItemsRequest()
    return _find(
        incomplete,
        lambda p: [item.id for item in p.read(p.catalog.ListItems, request, _TIMEOUT_S).applications],
    )


def complete_users(incomplete: str) -> list[str]:
    """Return the names of accounts that begin with what was typed."""
    request = auth_service_pb2.ListUsersRequest(page=1, per_page=100, search=incomplete)
    return _find(
        incomplete, lambda p: [user.username for user in p.read(p.auth.ListUsers, request, _TIMEOUT_S).users]
    )


def complete_hosts(incomplete: str) -> list[str]:
    """Return the numbers of Proxmox hosts that begin with what was typed."""
    return _find(
        incomplete, lambda p: [str(host.id) for host in p.stream(p.hosts.ListHosts, Empty(), _TIMEOUT_S)]
    )


def complete_field(method: str, field: str) -> Complete | None:
    """Return the completion of a field of an RPC (`apps.AppsService.GetApp`), if there is one."""
    package = method.partition(".")[0]
    if field == "app_id":
        return complete_items if package == "catalog" else complete_apps
    return complete_hosts if field == "id" and package == "inventory" else None


def _find(incomplete: str, read: Callable[[Platform], list[str]]) -> list[str]:
    try:
        return [each for each in read(connect()) if each.startswith(incomplete)]
    except (CliError, grpc.RpcError, OSError):
        return []
