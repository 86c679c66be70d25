"""Which function answers which method and path, and the checks before it runs."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.pvesim.model.cluster import Cluster
from tests.pvesim.model.errors import ApiError, bad_params, forbid, refuse
from tests.pvesim.model.permissions import check_declared
from tests.pvesim.model.schema import Method, find_path, load_methods, verify


@dataclass
class Call:
    """One request, its parameters verified and typed."""

    cluster: Cluster
    user: str
    verb: str
    path: str
    params: dict[str, Any] = field(default_factory=dict)

    @property
    def node(self) -> str:
        return str(self.params["node"])

    @property
    def vmid(self) -> int:
        return int(self.params["vmid"])

    def get(self, name: str, default: Any = None) -> Any:
        """A parameter, or the default when it was not given."""
        return self.params.get(name, default)


@dataclass(frozen=True)
class Page:
    """A list of which more exists: `total` counts it all."""

    items: list[Any]
    total: int


Handler = Callable[[Call], Any]
HANDLERS: dict[tuple[str, str], Handler] = {}
NODE_NAME = re.compile(r"(?i)[a-z0-9]([a-z0-9\-]*[a-z0-9])?")


def route(verb: str, path: str) -> Callable[[Handler], Handler]:
    """Register the function that answers a method and path of the schema."""

    def register(handler: Handler) -> Handler:
        HANDLERS[verb, path] = handler
        return handler

    return register


def find_method(verb: str, path: str) -> tuple[Method, dict[str, str]]:
    """The schema's method for a request, and the values in its path; 501 without one."""
    found = find_path(path)
    method = load_methods().get(found[0], {}).get(verb) if found else None
    if found is None or method is None:
        raise ApiError(501, f"Method '{verb} {path}' not implemented")
    return method, found[1]


def check_node(cluster: Cluster, name: str) -> None:
    """Refuse a node nobody knows (500) or nobody reaches (595)."""
    node = cluster.nodes.get(name)
    if node is None:
        cause = (
            "Temporary failure in name resolution"
            if NODE_NAME.fullmatch(name)
            else "Name or service not known"
        )
        raise refuse(f"hostname lookup '{name}' failed - failed to get address info for: {name}: {cause}")
    if not node.online:
        raise ApiError(595, "No route to host", empty=True)


def dispatch(cluster: Cluster, *, verb: str, path: str, user: str, params: dict[str, Any]) -> Any:
    """Answer one authenticated request, checking in the order that Proxmox does.

    Raises:
        ApiError: any answer but 200.
    """
    method, values = find_method(verb, path)
    if "!" in user and not method.allow_token:
        raise forbid_token()
    check_declared(cluster, user, method.permissions, {**params, **values})
    if "node" in values:
        check_node(cluster, values["node"])
    typed, errors = verify(method, {**params, **values})
    if errors:
        raise bad_params(errors)
    handler = HANDLERS.get((verb, method.path))
    if handler is None:
        raise ApiError(501, f"Method '{verb} {path}' not implemented")
    return handler(Call(cluster, user, verb, path, typed))


def forbid_token() -> ApiError:
    """A method that tokens may not use at all."""
    return ApiError(403, "API tokens are not allowed for this method")


__all__ = ["Call", "Page", "check_node", "dispatch", "find_method", "forbid", "route"]
