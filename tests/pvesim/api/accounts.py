"""Users, roles, realms, access lists and permissions."""

from typing import Any

from tests.pvesim.model.entities import Acl, User
from tests.pvesim.model.errors import bad_params, refuse
from tests.pvesim.model.permissions import check, get_privileges, list_granted, load_roles, may
from tests.pvesim.model.router import Call, route

REALMS = [
    {"realm": "pam", "type": "pam", "comment": "Linux PAM standard authentication"},
    {"realm": "pve", "type": "pve", "comment": "Proxmox VE authentication server"},
]
STANDARD = ("/", "/access", "/access/groups", "/nodes", "/pool", "/sdn", "/storage", "/vms")


def need_user(call: Call) -> User:
    """The user of the path."""
    name = str(call.params["userid"])
    if name not in call.cluster.users:
        raise refuse(f"no such user ('{name}')")
    return call.cluster.users[name]


def _split(text: Any) -> list[str]:
    return [one for one in str(text or "").replace(";", ",").replace(" ", ",").split(",") if one]


@route("GET", "/access/users")
def list_users(call: Call) -> list[dict[str, Any]]:
    everyone = may(call.cluster, call.user, "/access/groups", "User.Modify", "Sys.Audit", any_of=True)
    return [_render(one) for one in call.cluster.users.values() if everyone or one.userid == call.user]


def _render(user: User) -> dict[str, Any]:
    realm = user.userid.partition("@")[2]
    entry: dict[str, Any] = {
        "userid": user.userid,
        "enable": user.enable,
        "expire": user.expire,
        "realm-type": realm,
    }
    for name in ("comment", "email"):
        if getattr(user, name):
            entry[name] = getattr(user, name)
    return entry


@route("POST", "/access/users")
def create_user(call: Call) -> None:
    name = str(call.params["userid"])
    if name.partition("@")[2] not in {realm["realm"] for realm in REALMS}:
        raise refuse(f"create user failed: domain '{name.partition('@')[2]}' does not exist")
    if name in call.cluster.users:
        raise refuse(f"create user failed: user '{name}' already exists")
    user = User(
        name,
        password=str(call.get("password", "")),
        enable=int(call.get("enable", 1)),
        expire=int(call.get("expire", 0)),
        comment=str(call.get("comment", "")),
        email=str(call.get("email", "")),
    )
    call.cluster.add("users", name, user)


@route("GET", "/access/users/{userid}")
def get_user(call: Call) -> dict[str, Any]:
    user = need_user(call)
    tokens = {
        one.tokenid: {"privsep": one.privsep, "expire": one.expire}
        for one in call.cluster.tokens.values()
        if one.userid == user.userid
    }
    found: dict[str, Any] = {"enable": user.enable, "expire": user.expire, "groups": []}
    return {**found, **({"tokens": tokens} if tokens else {})}


@route("PUT", "/access/users/{userid}")
def update_user(call: Call) -> None:
    user = need_user(call)
    for name in ("enable", "expire", "comment", "email"):
        if call.get(name) is not None:
            setattr(user, name, call.params[name])
    call.cluster.touch("users", user.userid)


@route("DELETE", "/access/users/{userid}")
def delete_user(call: Call) -> None:
    user = need_user(call)
    for full in [one.full for one in call.cluster.tokens.values() if one.userid == user.userid]:
        call.cluster.drop("tokens", full)
    for key in [acl.key for acl in call.cluster.acls.values() if acl.ugid.partition("!")[0] == user.userid]:
        call.cluster.drop("acls", key)
    call.cluster.drop("users", user.userid)


@route("GET", "/access/domains")
def list_realms(call: Call) -> list[dict[str, str]]:
    return list(REALMS)


@route("GET", "/access/roles")
def list_roles(call: Call) -> list[dict[str, Any]]:
    own = [{"roleid": name, "privs": ",".join(privs), "special": 1} for name, privs in load_roles().items()]
    return own + [
        {"roleid": name, "privs": ",".join(privs), "special": 0} for name, privs in call.cluster.roles.items()
    ]


@route("POST", "/access/roles")
def create_role(call: Call) -> None:
    name = str(call.params["roleid"])
    if name in load_roles() or name in call.cluster.roles:
        raise refuse(f"create role failed: role '{name}' already exists")
    known = set(load_roles()["Administrator"])
    privileges = _split(call.get("privs"))
    for one in privileges:
        if one not in known:
            raise refuse(f"create role failed: invalid privilege '{one}'")
    call.cluster.roles[name] = privileges
    call.cluster.touch("settings", "roles")


@route("GET", "/access/acl")
def list_acl(call: Call) -> list[dict[str, Any]]:
    return [
        {"path": one.path, "type": one.type, "ugid": one.ugid, "roleid": one.role, "propagate": one.propagate}
        for one in call.cluster.acls.values()
        if may(call.cluster, call.user, one.path, "Permissions.Modify")
    ]


@route("PUT", "/access/acl")
def update_acl(call: Call) -> None:
    cluster = call.cluster
    named = [("user", one) for one in _split(call.get("users"))]
    named += [("token", one) for one in _split(call.get("tokens"))]
    named += [("group", one) for one in _split(call.get("groups"))]
    if not named:
        raise bad_params(dict.fromkeys(("users",), "property is missing and it is not optional"))
    for kind, name in named:
        held = {"user": set(cluster.users), "token": set(cluster.tokens)}
        if name not in held.get(kind, set()):
            raise refuse(f"no such {kind} '{name}'")
    for role in _split(call.params["roles"]):
        if not get_privileges(cluster, role) and role != "NoAccess":
            raise refuse(f"role '{role}' does not exist")
        for kind, name in named:
            acl = Acl(_clean(str(call.params["path"])), name, kind, role, int(call.get("propagate", 1)))
            if call.get("delete"):
                cluster.drop("acls", acl.key)
            else:
                cluster.add("acls", acl.key, acl)


def _clean(path: str) -> str:
    return "/" + path.strip("/")


@route("GET", "/access/permissions")
def get_permissions(call: Call) -> dict[str, dict[str, int]]:
    cluster = call.cluster
    user = str(call.get("userid", call.user))
    if user != call.user and user.partition("!")[0] != call.user:
        check(cluster, call.user, "/access", "Sys.Audit")
    paths = [_clean(str(call.params["path"]))] if call.get("path") else _list_paths(call)
    granted = {path: list_granted(cluster, user, path) for path in paths}
    return {path: dict.fromkeys(sorted(privileges), 1) for path, privileges in granted.items() if privileges}


def _list_paths(call: Call) -> list[str]:
    return list(dict.fromkeys([*STANDARD, *(acl.path for acl in call.cluster.acls.values())]))
