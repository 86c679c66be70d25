"""What is measured, each against the floor of the process that answers it, asked in the same way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from google.protobuf.message import Message
from proximity.apps.v1 import apps_service_pb2 as apps_pb
from proximity.catalog.v1 import catalog_service_pb2 as catalog_pb

from tests.bench.floor import describe_floor, path_of
from tests.bench.seeding import app_id_of

FLOOR = "floor"
Kind = Literal["rest", "grpc", "grpc-web"]


@dataclass(frozen=True)
class Case:
    """One request, or several of a kind.

    Attributes:
        owner: of the floor that it is held against.
        target: the least share of the floor that must be reached; 0 where nothing is promised.
        admin: whether an administrator asks.
        kind: how it is asked; gRPC over HTTP/2 needs h2load.
    """

    name: str
    owner: str
    paths: Sequence[str]
    target: float = 0.0
    admin: bool = False
    method: str = "GET"
    body: bytes = b""
    public: bool = False
    kind: Kind = "rest"


def list_cases(app_id: str, *, apps: int, owner_index: int) -> list[Case]:
    """Every case; `app_id` is an app that runs, its owner the `owner_index`-th user."""
    many = [f"/api/apps/{app_id_of(n)}" for n in range(owner_index, min(apps, 50_000), 50)]
    last = max(1, min(500, apps // 20 - 1))
    return [
        *_list_floors(),
        Case("app", "apps", [f"/api/apps/{app_id}"], 0.6),
        Case("app, any", "apps", many, 0.6),
        Case("app status", "apps", [f"/api/apps/{app_id}/status"], 0.6),
        Case("apps, first page", "apps", ["/api/apps"], 0.4),
        Case("apps, by status", "apps", ["/api/apps?status=stopped"], 0.3),
        Case("apps, search", "apps", ["/api/apps?search=web-0001"], 0.3),
        Case("admin, first page", "apps", ["/api/apps"], 0.3, admin=True),
        Case(f"admin, page {last}", "apps", [f"/api/apps?page={last}"], 0.3, admin=True),
        Case("admin, search", "apps", ["/api/apps?search=web-0001"], 0.3, admin=True),
        Case("admin, by status", "apps", ["/api/apps?status=stopped"], 0.3, admin=True),
        Case("app logs", "apps", [f"/api/apps/{app_id}/logs"], 0.35),
        Case("app operations", "apps", [f"/api/apps/{app_id}/operations"]),
        Case("backups", "backups", [f"/api/apps/{app_id}/backups"], 0.45),
        Case("backup stats", "backups", [f"/api/apps/{app_id}/backups/stats"]),
        Case("catalog, page", "catalog", ["/api/catalog?page=1&per_page=20"], 0.7),
        Case("catalog, item", "catalog", ["/api/catalog/nginx"], 0.7),
        Case("catalog, search", "catalog", ["/api/catalog/search?q=nginx"], 0.7),
        Case("catalog, categories", "catalog", ["/api/catalog/categories"]),
        Case("hosts", "apps", ["/api/proxmox/hosts"]),
        Case("nodes", "apps", ["/api/proxmox/nodes"]),
        Case("health", "apps", ["/api/health"], public=True),
        Case("user", "apps", ["/api/auth/user"]),
        Case("Envoy alone", "apps", ["/api/docs"], public=True),
        *_list_calls("grpc", app_id),
        *_list_calls("grpc-web", app_id),
    ]


def _list_calls(kind: Kind, app_id: str) -> list[Case]:
    apps, catalog = "/proximity.apps.v1.AppsService", "/proximity.catalog.v1.CatalogService"
    return [
        _call(kind, f"{FLOOR}, apps", "apps", f"/{describe_floor('apps').full_name}/GetFloor"),
        _call(kind, f"{FLOOR}, catalog", "catalog", f"/{describe_floor('catalog').full_name}/GetFloor"),
        _call(kind, "app", "apps", f"{apps}/GetApp", apps_pb.GetAppRequest(app_id=app_id)),
        _call(kind, "apps, first page", "apps", f"{apps}/ListApps", apps_pb.ListAppsRequest()),
        _call(
            kind, "catalog, page", "catalog", f"{catalog}/ListItems",
            catalog_pb.ListItemsRequest(page=1, per_page=20),
        ),
    ]  # fmt: skip


def _call(kind: Kind, name: str, owner: str, path: str, request: Message | None = None) -> Case:
    message = b"" if request is None else request.SerializeToString()
    framed = b"\0" + len(message).to_bytes(4, "big") + message
    return Case(f"{name} by {kind}", owner, [path], method="POST", body=framed, kind=kind)


def _list_floors() -> list[Case]:
    return [
        Case("floor, bare server", "apps", [path_of("bare")]),
        Case(f"{FLOOR}, apps", "apps", [path_of("apps")], 0.9),
        Case(f"{FLOOR}, backups", "backups", [path_of("backups")]),
        Case(f"{FLOOR}, catalog", "catalog", [path_of("catalog")]),
    ]


def floor_of(case: Case) -> str:
    """The name of the case that another is held against: floors of REST against the bare server."""
    if case.kind != "rest":
        return f"{FLOOR}, {case.owner} by {case.kind}"
    return "floor, bare server" if case.name.startswith(FLOOR) else f"{FLOOR}, {case.owner}"
