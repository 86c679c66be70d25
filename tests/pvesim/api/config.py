"""Reading and changing a container's configuration, and what waits for a reboot."""

from typing import Any

from tests.pvesim.model.cluster import Cluster
from tests.pvesim.model.configs import (
    DISK,
    LIVE,
    NETWORK,
    NOT_CONFIG,
    compute_digest,
    is_option,
    list_disks,
    normalise,
    render_snapshot,
    show,
    split_option,
    with_pending,
)
from tests.pvesim.model.disks import make_disks
from tests.pvesim.model.entities import Container
from tests.pvesim.model.errors import bad_params, refuse
from tests.pvesim.model.guard import Guard
from tests.pvesim.model.router import Call, route

CT = "/nodes/{node}/lxc/{vmid}"


@route("GET", f"{CT}/config")
def get_config(call: Call) -> dict[str, Any]:
    container = call.cluster.get_container(call.node, call.vmid)
    digest = {"digest": compute_digest(container)}
    if name := call.get("snapshot"):
        if name not in container.snapshots:
            raise refuse(f"snapshot '{name}' does not exist")
        return {**show(render_snapshot(container.snapshots[name])), **digest}
    config = container.config if call.get("current") else with_pending(container)
    return {**show(config), **digest}


@route("GET", f"{CT}/pending")
def list_pending(call: Call) -> list[dict[str, Any]]:
    container = call.cluster.get_container(call.node, call.vmid)
    entries = [_render_pending(container, key) for key in {**container.config, **container.pending}]
    return [*entries, {"key": "digest", "value": compute_digest(container)}]


def _render_pending(container: Container, key: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"key": key}
    if key in container.config:
        entry["value"] = show({key: container.config[key]})[key]
    if key in container.pending:
        waiting = container.pending[key]
        entry.update({"delete": 1} if waiting is None else {"pending": waiting})
    return entry


@route("PUT", f"{CT}/config")
def set_config(call: Call) -> None:
    new = {key: value for key, value in call.params.items() if key not in {"node", "vmid", "digest"}}
    if not new:
        raise refuse("no options specified")
    delete = _parse_delete(call, new)
    revert = [name for name in str(new.pop("revert", "")).replace(";", ",").split(",") if name]
    cluster = call.cluster
    container = cluster.get_container(call.node, call.vmid)
    unprivileged = bool(container.config.get("unprivileged"))
    guard = Guard(cluster, call.user, call.vmid, pool=None, unprivileged=unprivileged)
    guard.check_options(with_pending(container), new, delete)
    check_free(container)
    check_digest(container, call.get("digest"))
    _check_changes(new, delete)
    for name in revert:
        container.pending.pop(name, None)
    errors = change(cluster, container, new=new, delete=delete)
    cluster.mark(container)
    if errors:
        raise bad_params(errors)


def check_free(container: Container) -> None:
    """Refuse to change a locked container."""
    if container.lock:
        raise refuse(f"CT is locked ({container.lock})")


def check_digest(container: Container, digest: str | None) -> None:
    """Refuse when somebody else changed the configuration meanwhile."""
    if digest and digest != compute_digest(container):
        raise refuse("detected modified configuration - file changed by other user? Try again.")


def _parse_delete(call: Call, new: dict[str, Any]) -> list[str]:
    names = [
        name for name in str(new.pop("delete", "")).replace(";", ",").replace(" ", ",").split(",") if name
    ]
    for name in names:
        if name in new:
            raise bad_params({"delete": f"you can't use '-{name}' and -delete {name}' at the same time"})
        if not is_option(name):
            raise bad_params({"delete": f"unknown option '{name}'"})
    return names


def _check_changes(new: dict[str, Any], delete: list[str]) -> None:
    for name in delete:
        if name in {"rootfs", "memory"}:
            raise refuse(f"unable to delete required option '{name}'")
        if name == "unprivileged":
            raise refuse(f"unable to delete read-only option: '{name}'")
    for name in new:
        if name == "unprivileged":
            raise refuse(f"unable to modify read-only option: '{name}'")


def change(
    cluster: Cluster, container: Container, *, new: dict[str, Any], delete: list[str]
) -> dict[str, str]:
    """Set and delete options, at once or after a reboot; what cannot be done at once is an error."""
    errors: dict[str, str] = {}
    for name in delete:
        _delete_option(container, name)
    for name, value in new.items():
        if name in NOT_CONFIG:
            continue
        if problem := _find_hotplug_problem(cluster, container, name, value):
            errors[name] = f"unable to hotplug {name}: {problem}\n"
            continue
        _set_option(cluster, container, name, value)
    return errors


def _delete_option(container: Container, name: str) -> None:
    container.pending.pop(name, None)
    if name not in container.config:
        return
    if container.running and not LIVE.fullmatch(name):
        container.pending[name] = None
    else:
        removed = container.config.pop(name)
        if DISK.fullmatch(name):
            _keep_unused(container, str(split_option(name, str(removed))["volume"]))


def _keep_unused(container: Container, volume: str) -> None:
    number = next(index for index in range(256) if f"unused{index}" not in container.config)
    container.config[f"unused{number}"] = volume


def _find_hotplug_problem(cluster: Cluster, container: Container, name: str, value: Any) -> str | None:
    if not container.running or not NETWORK.fullmatch(name):
        return None
    bridge = split_option(name, str(value)).get("bridge")
    known = cluster.nodes[container.node].bridges
    return f"bridge '{bridge}' does not exist" if bridge and bridge not in known else None


def _set_option(cluster: Cluster, container: Container, name: str, value: Any) -> None:
    if DISK.fullmatch(name):
        old = dict(list_disks(container.config)).get(name)
        made = make_disks(cluster, {name: value}, vmid=container.vmid, node=container.node)
        value = made[name]
        if old and old["volume"] != split_option(name, value)["volume"]:
            _keep_unused(container, old["volume"])
    else:
        value = normalise(cluster, name, value)
    if container.running and not LIVE.fullmatch(name):
        if container.config.get(name) == value:
            container.pending.pop(name, None)
        else:
            container.pending[name] = value
        return
    container.pending.pop(name, None)
    container.config[name] = value
