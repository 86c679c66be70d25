"""Who may what: roles given on paths, propagated, narrowed for separated tokens."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from tests.pvesim.model.cluster import Cluster
from tests.pvesim.model.errors import forbid

ROOT = "root@pam"
DATA = Path(__file__).parent.parent / "data"


@cache
def load_roles() -> dict[str, list[str]]:
    """Proxmox's own roles and the privileges in them."""
    roles: dict[str, list[str]] = json.loads((DATA / "roles.json").read_text())
    return roles


def get_privileges(cluster: Cluster, role: str) -> list[str]:
    """The privileges of a built-in or added role."""
    return cluster.roles.get(role) or load_roles().get(role, [])


def list_ancestors(path: str) -> list[str]:
    """`/vms/105` -> `/vms/105`, `/vms`, `/`: most specific first."""
    parts = path.strip("/").split("/") if path.strip("/") else []
    return ["/" + "/".join(parts[:count]) for count in range(len(parts), 0, -1)] + ["/"]


def _collect(cluster: Cluster, ugid: str, path: str) -> set[str]:
    """The privileges given to exactly this name; a deeper path replaces a higher one."""
    for at in list_ancestors(path):
        roles = [
            acl.role
            for acl in cluster.acls.values()
            if acl.ugid == ugid and acl.path == at and (acl.propagate or at == path)
        ]
        if roles:
            return (
                set()
                if "NoAccess" in roles
                else {one for role in roles for one in get_privileges(cluster, role)}
            )
    return set()


def list_granted(cluster: Cluster, user: str, path: str) -> set[str]:
    """All privileges of a user or token on a path, pools included."""
    if user == ROOT:
        return set(load_roles()["Administrator"])
    owner, _, tokenid = user.partition("!")
    if not tokenid:
        return _with_pools(cluster, user, path)
    token = cluster.tokens.get(user)
    whole = set(load_roles()["Administrator"]) if owner == ROOT else _with_pools(cluster, owner, path)
    return whole if token and not token.privsep else whole & _with_pools(cluster, user, path)


def _with_pools(cluster: Cluster, ugid: str, path: str) -> set[str]:
    granted = _collect(cluster, ugid, path)
    for pool in cluster.pools.values():
        members = {f"/vms/{vmid}" for vmid in pool.vms} | {f"/storage/{name}" for name in pool.storages}
        if path in members:
            granted |= _collect(cluster, ugid, f"/pool/{pool.poolid}")
    return granted


def may(cluster: Cluster, user: str, path: str, *privileges: str, any_of: bool = False) -> bool:
    """Whether a user has all (or any) of the privileges on a path."""
    if user == ROOT:
        return True
    granted = list_granted(cluster, user, path)
    return (any if any_of else all)(one in granted for one in privileges)


def check(cluster: Cluster, user: str, path: str, *privileges: str, any_of: bool = False) -> None:
    """403 naming path and privileges, unless the user has them."""
    if may(cluster, user, path, *privileges, any_of=any_of):
        return
    granted = list_granted(cluster, user, path)
    lacking = [one for one in privileges if one not in granted]
    raise forbid(f"{path}, {'|'.join(privileges) if any_of else lacking[0]}")


def check_declared(cluster: Cluster, user: str, rule: dict[str, Any] | None, params: dict[str, Any]) -> None:
    """Apply the permissions a schema method declares. None: root alone."""
    if user == ROOT:
        return
    if rule is None:
        raise forbid()
    if "check" in rule:
        _apply(cluster, user, rule["check"], params)


def _apply(cluster: Cluster, user: str, rule: list[Any], params: dict[str, Any]) -> None:
    kind, *rest = rule
    if kind == "and":
        for one in rest:
            _apply(cluster, user, one, params)
    elif kind == "or":
        _apply_any(cluster, user, rest, params)
    elif kind == "perm":
        _apply_perm(cluster, user, rest, params)
    elif kind == "perm-modify":
        check(cluster, user, _fill(rest[0], params), "Permissions.Modify")
    elif kind == "userid-param":
        _apply_user(cluster, user, rest[0], params)
    elif kind == "userid-group":
        check(cluster, user, "/access/groups", *rest[0], any_of=True)
    else:
        raise forbid(f"unknown permission test '{kind}'")


def _apply_any(cluster: Cluster, user: str, rules: list[Any], params: dict[str, Any]) -> None:
    for number, one in enumerate(rules):
        try:
            _apply(cluster, user, one, params)
        except Exception:
            if number == len(rules) - 1:
                raise
        else:
            return


def _apply_perm(cluster: Cluster, user: str, rule: list[Any], params: dict[str, Any]) -> None:
    path, privileges, *extra = rule
    extras = dict(zip(extra[::2], extra[1::2], strict=False))
    needed = extras.get("require_param")
    if needed and needed not in params:
        raise forbid()
    check(cluster, user, _fill(path, params), *privileges, any_of=bool(extras.get("any")))


def _apply_user(cluster: Cluster, user: str, what: str, params: dict[str, Any]) -> None:
    userid = str(params.get("userid", ""))
    if what == "self":
        if user.partition("!")[0] != userid:
            raise forbid()
        return
    check(cluster, user, f"/access/realm/{userid.partition('@')[2]}", what)


def _fill(path: str, params: dict[str, Any]) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: str(params.get(found[1], "")), path)
