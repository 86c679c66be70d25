"""API tokens, and the ticket that signs in."""

from typing import Any

from tests.pvesim.api.accounts import need_user
from tests.pvesim.model.entities import Token
from tests.pvesim.model.errors import ApiError, bad_params, refuse
from tests.pvesim.model.permissions import ROOT, list_granted
from tests.pvesim.model.router import Call, route
from tests.pvesim.model.tickets import check_password, make_csrf, make_ticket

TOKENS = "/access/users/{userid}/token"


def need_token(call: Call) -> Token:
    """The token of the path."""
    full = f"{call.params['userid']}!{call.params['tokenid']}"
    if full not in call.cluster.tokens:
        raise refuse(f"no such token '{call.params['tokenid']}' for user '{call.params['userid']}'")
    return call.cluster.tokens[full]


def _render(token: Token) -> dict[str, Any]:
    return {
        "privsep": token.privsep,
        "expire": token.expire,
        **({"comment": token.comment} if token.comment else {}),
    }


@route("GET", TOKENS)
def list_tokens(call: Call) -> list[dict[str, Any]]:
    user = need_user(call)
    return [
        {"tokenid": one.tokenid, **_render(one)}
        for one in call.cluster.tokens.values()
        if one.userid == user.userid
    ]


@route("GET", TOKENS + "/{tokenid}")
def get_token(call: Call) -> dict[str, Any]:
    return _render(need_token(call))


@route("POST", TOKENS + "/{tokenid}")
def create_token(call: Call) -> dict[str, Any]:
    user = need_user(call)
    full = f"{user.userid}!{call.params['tokenid']}"
    if full in call.cluster.tokens:
        raise bad_params({"tokenid": "Token already exists."})
    token = Token(
        user.userid,
        str(call.params["tokenid"]),
        make_secret(call),
        privsep=int(call.get("privsep", 1)),
        expire=int(call.get("expire", 0)),
        comment=str(call.get("comment", "")),
    )
    call.cluster.add("tokens", full, token)
    info = {key: str(value) for key, value in {"privsep": token.privsep, **_given(call)}.items()}
    return {"full-tokenid": full, "value": token.secret, "info": info}


def make_secret(call: Call) -> str:
    """A random secret in the form of a UUID."""
    text = f"{call.cluster.rng.getrandbits(128):032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _given(call: Call) -> dict[str, Any]:
    return {name: call.params[name] for name in ("comment", "expire") if name in call.params}


@route("PUT", TOKENS + "/{tokenid}")
def update_token(call: Call) -> dict[str, Any]:
    token = need_token(call)
    for name in ("privsep", "expire", "comment"):
        if call.get(name) is not None:
            setattr(token, name, call.params[name])
    call.cluster.touch("tokens", token.full)
    return _render(token)


@route("DELETE", TOKENS + "/{tokenid}")
def delete_token(call: Call) -> None:
    token = need_token(call)
    for key in [acl.key for acl in call.cluster.acls.values() if acl.ugid == token.full]:
        call.cluster.drop("acls", key)
    call.cluster.drop("tokens", token.full)


@route("GET", "/access/ticket")
def get_ticket(call: Call) -> None:
    return None


@route("POST", "/access/ticket")
def sign_in(call: Call) -> dict[str, Any]:
    cluster = call.cluster
    name = str(call.params["username"])
    if call.get("realm") and "@" not in name:
        name = f"{name}@{call.params['realm']}"
    if not check_password(cluster, name, str(call.params["password"])):
        raise ApiError(401, "authentication failure")
    ticket = make_ticket(cluster, name)
    return {
        "ticket": ticket,
        "username": name,
        "CSRFPreventionToken": make_csrf(cluster, name),
        "cap": _list_capabilities(call, name),
    }


def _list_capabilities(call: Call, user: str) -> dict[str, dict[str, int]]:
    areas = {
        "vms": "/vms",
        "storage": "/storage",
        "access": "/access",
        "nodes": "/nodes",
        "dc": "/",
        "sdn": "/sdn",
    }
    granted = {area: list_granted(call.cluster, user, path) for area, path in areas.items()}
    return {area: dict.fromkeys(sorted(privileges), 1) for area, privileges in granted.items()}


__all__ = ["ROOT"]
