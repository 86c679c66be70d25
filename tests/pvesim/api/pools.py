"""Pools: named groups of containers and storages."""

from typing import Any

from tests.pvesim.model.entities import Pool
from tests.pvesim.model.errors import refuse
from tests.pvesim.model.permissions import may
from tests.pvesim.model.reading import render_member
from tests.pvesim.model.router import Call, route


def need_pool(call: Call, name: str) -> Pool:
    """A pool, or the refusal of an unknown one."""
    if name not in call.cluster.pools:
        raise refuse(f"pool '{name}' does not exist")
    return call.cluster.pools[name]


@route("GET", "/pools")
def list_pools(call: Call) -> list[dict[str, Any]]:
    if name := call.get("poolid"):
        return [{"poolid": name, **_render(call, need_pool(call, str(name)))}]
    seen = [
        one
        for one in call.cluster.pools.values()
        if may(call.cluster, call.user, f"/pool/{one.poolid}", "Pool.Audit")
    ]
    return [{"poolid": one.poolid, **({"comment": one.comment} if one.comment else {})} for one in seen]


@route("POST", "/pools")
def create_pool(call: Call) -> None:
    name = str(call.params["poolid"])
    if name in call.cluster.pools:
        raise refuse(f"create pool failed: pool '{name}' already exists")
    call.cluster.add("pools", name, Pool(name, str(call.get("comment", ""))))


@route("GET", "/pools/{poolid}")
def get_pool(call: Call) -> dict[str, Any]:
    name = str(call.params["poolid"])
    return {"poolid": name, **_render(call, need_pool(call, name))}


def _render(call: Call, pool: Pool) -> dict[str, Any]:
    cluster = call.cluster
    members = [
        render_member(cluster, cluster.containers[vmid]) for vmid in pool.vms if vmid in cluster.containers
    ]
    return {**({"comment": pool.comment} if pool.comment else {}), "members": members}


@route("PUT", "/pools/{poolid}")
@route("PUT", "/pools")
def update_pool(call: Call) -> None:
    pool = need_pool(call, str(call.params["poolid"]))
    if call.get("comment") is not None:
        pool.comment = str(call.params["comment"])
    vmids = [int(one) for one in str(call.get("vms", "")).replace(";", ",").split(",") if one]
    for vmid in vmids:
        _change_member(call, pool, vmid)
    for name in [one for one in str(call.get("storage", "")).replace(";", ",").split(",") if one]:
        held = name in pool.storages
        if call.get("delete") and held:
            pool.storages.remove(name)
        elif not held:
            pool.storages.append(name)
    call.cluster.touch("pools", pool.poolid)


def _change_member(call: Call, pool: Pool, vmid: int) -> None:
    held = vmid in pool.vms
    if call.get("delete"):
        if not held:
            raise refuse(f"VM {vmid} is not a pool member")
        pool.vms.remove(vmid)
        return
    if vmid not in call.cluster.containers:
        raise refuse(f"VM {vmid} does not exist")
    if held:
        raise refuse(f"VM {vmid} is already a pool member")
    pool.vms.append(vmid)


@route("DELETE", "/pools/{poolid}")
@route("DELETE", "/pools")
def delete_pool(call: Call) -> None:
    pool = need_pool(call, str(call.params["poolid"]))
    if pool.vms or pool.storages:
        raise refuse(f"pool '{pool.poolid}' is not empty")
    call.cluster.drop("pools", pool.poolid)
