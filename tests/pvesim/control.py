"""/_sim: faults, state, records and strangers, for tests. Loopback only, no credentials."""

import ipaddress
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from aiohttp import web

from tests.pvesim.guest.world import FAULT_KINDS, GuestFault
from tests.pvesim.model.entities import Machine, Storage, Volume
from tests.pvesim.model.errors import ApiError
from tests.pvesim.model.ha import fail_over
from tests.pvesim.model.running import bring_up, take_down
from tests.pvesim.presets import add_stranger
from tests.pvesim.simulation import Simulation, describe_state

CLUSTER_SETTINGS = {"attach_seconds", "cgroup_mode", "dhcp", "version"}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Control:
    """The handlers under /_sim of one simulation."""

    def __init__(self, simulation: Simulation) -> None:
        self._sim = simulation
        self._down: set[str] = set()

    def add_routes(self, app: web.Application) -> None:
        """Put every handler where it belongs."""
        routes = [
            ("GET", "/_sim/faults", self.list_faults),
            ("POST", "/_sim/faults", self.add_faults),
            ("DELETE", "/_sim/faults", self.clear_faults),
            ("GET", "/_sim/state", self.get_state),
            ("GET", "/_sim/requests", self.list_requests),
            ("DELETE", "/_sim/requests", self.clear_requests),
            ("GET", "/_sim/commands", self.list_commands),
            ("POST", "/_sim/containers", self.add_container),
            ("POST", "/_sim/machines", self.add_machine),
            ("PATCH", "/_sim/containers/{vmid}", self.change_container),
            ("DELETE", "/_sim/containers/{vmid}", self.remove_container),
            ("PUT", "/_sim/containers/{vmid}/interfaces", self.set_interfaces),
            ("POST", "/_sim/containers/{vmid}/age", self.age_container),
            ("POST", "/_sim/containers/{vmid}/stop", self.stop_container),
            ("POST", "/_sim/containers/{vmid}/start", self.start_container),
            ("PATCH", "/_sim/cluster", self.change_cluster),
            ("PATCH", "/_sim/nodes/{node}", self.change_node),
            ("POST", "/_sim/storages", self.add_storage),
            ("GET", "/_sim/volumes", self.list_volumes),
            ("POST", "/_sim/volumes", self.add_volume),
            ("PATCH", "/_sim/volumes", self.damage_volume),
            ("POST", "/_sim/clock", self.set_clock),
        ]
        for method, path, handler in routes:
            app.router.add_route(method, path, _keep_local(handler))

    async def list_faults(self, request: web.Request) -> web.Response:
        guests = [
            {"kind": one.kind, "where": one.where, "times": one.times} for one in self._sim.world.faults
        ]
        return web.json_response(
            {"rules": [one.render() for one in self._sim.faults.rules], "guest_rules": guests}
        )

    async def add_faults(self, request: web.Request) -> web.Response:
        wanted = await _read(request)
        rules = wanted if isinstance(wanted, list) else wanted.get("rules", [wanted])
        try:
            self._sim.world.faults += [GuestFault(**one) for one in rules if one.get("kind") in FAULT_KINDS]
            self._sim.faults.add([one for one in rules if one.get("kind") not in FAULT_KINDS])
        except (ValueError, TypeError, AttributeError) as error:
            return web.json_response({"error": str(error)}, status=400)
        self._switch_nodes()
        return await self.list_faults(request)

    def _switch_nodes(self) -> None:
        """A lasting `node_down` that names nothing but the node takes the whole node down."""
        down = self._sim.faults.list_down_nodes()
        for name in self._down ^ down:
            if name in self._sim.cluster.nodes:
                self._sim.cluster.nodes[name].online = name not in down
                self._sim.cluster.touch("nodes", name)
        self._down = down

    async def clear_faults(self, request: web.Request) -> web.Response:
        self._sim.faults.clear()
        self._switch_nodes()
        self._sim.world.faults.clear()
        return web.json_response({"rules": []})

    async def get_state(self, request: web.Request) -> web.Response:
        return web.json_response(describe_state(self._sim))

    async def list_requests(self, request: web.Request) -> web.Response:
        return web.json_response([asdict(one) for one in self._sim.requests])

    async def clear_requests(self, request: web.Request) -> web.Response:
        self._sim.requests.clear()
        return web.json_response([])

    async def list_commands(self, request: web.Request) -> web.Response:
        return web.json_response(self._sim.world.recorded(request.query.get("where", "")))

    async def add_storage(self, request: web.Request) -> web.Response:
        try:
            storage = Storage(**await _read(request))
        except TypeError as error:
            return web.json_response({"error": str(error)}, status=400)
        self._sim.cluster.add("storages", storage.name, storage)
        return web.json_response(storage.to_dict())

    async def list_volumes(self, request: web.Request) -> web.Response:
        """Volumes with what is in them, as `add_volume` takes them: a file is copied to another simulator so."""
        wanted = request.query.get("content", "")
        volumes = self._sim.cluster.volumes.values()
        return web.json_response([one.to_dict() for one in volumes if wanted in ("", one.content)])

    async def add_volume(self, request: web.Request) -> web.Response:
        """A volume that no container refers to, such as one of another cluster on a storage that both share."""
        given = {
            "node": "",
            "content": "rootdir",
            "format": "raw",
            "size": 4 << 30,
            "ctime": int(time.time()),
        }
        try:
            volume = Volume(**{**given, **await _read(request)})
        except TypeError as error:
            return web.json_response({"error": str(error)}, status=400)
        self._sim.cluster.add("volumes", volume.key, volume)
        return web.json_response(volume.to_dict())

    async def add_container(self, request: web.Request) -> web.Response:
        wanted = await _read(request)
        cluster = self._sim.cluster
        try:
            wanted.setdefault("vmid", cluster.find_free_vmid())
            wanted.setdefault("node", next(iter(cluster.nodes)))
            cluster.check_unused(int(wanted["vmid"]))
            container = add_stranger(cluster, wanted)
        except (ApiError, KeyError, ValueError) as error:
            return web.json_response({"error": str(error)}, status=400)
        return await self._done(container.vmid)

    async def add_machine(self, request: web.Request) -> web.Response:
        """A virtual machine: `vmid, node, config, running, interfaces`."""
        machine = Machine(**await _read(request))
        self._sim.cluster.check_unused(machine.vmid)
        self._sim.cluster.add("machines", str(machine.vmid), machine)
        return await self._done(machine.vmid)

    async def change_container(self, request: web.Request) -> web.Response:
        """Set options directly, null removing one: a lock left behind, an option set in Proxmox's own pages."""
        container = self._sim.cluster.containers[int(request.match_info["vmid"])]
        for key, value in (await _read(request)).items():
            if key == "ha_seconds":  # the HA manager looks after it, and takes so long to act
                container.ha_seconds = value
            elif value is None:
                container.config.pop(key, None)
            else:  # a description never ends in blank lines: Proxmox drops them whenever it writes the file
                container.config[key] = str(value).rstrip("\n") if key == "description" else value
        self._sim.cluster.mark(container)
        return await self._done(container.vmid)

    async def damage_volume(self, request: web.Request) -> web.Response:
        """Change an archive on its storage: `{"volid", "readable", "config", "guest", "verification", "encrypted"}`.

        `readable` below 1 truncates it; `guest` is merged into what is inside (null removes).
        """
        wanted = await _read(request)
        found = [one for one in self._sim.cluster.volumes.values() if one.volid == wanted["volid"]]
        for volume in found:
            volume.readable = float(wanted.get("readable", volume.readable))
            volume.config = str(wanted.get("config", volume.config))
            volume.verification = str(wanted.get("verification", volume.verification))
            volume.encrypted = str(wanted.get("encrypted", volume.encrypted))
            volume.guest = _merge(volume.guest, wanted.get("guest", {}))
            self._sim.cluster.touch("volumes", volume.key)
        await self._sim.settle()
        return web.json_response({"changed": len(found)})

    async def set_interfaces(self, request: web.Request) -> web.Response:
        """Interfaces that programs inside make or change: `[{"name", "hwaddr", "addresses": [cidr]}]`."""
        container = self._sim.cluster.containers[int(request.match_info["vmid"])]
        container.interfaces = list(await _read(request))
        self._sim.cluster.mark(container)
        return await self._done(container.vmid)

    async def age_container(self, request: web.Request) -> web.Response:
        """Make a container as if it had started `{"seconds"}` earlier."""
        container = self._sim.cluster.containers[int(request.match_info["vmid"])]
        container.started_at -= float((await _read(request))["seconds"])
        self._sim.cluster.mark(container)
        return await self._done(container.vmid)

    async def remove_container(self, request: web.Request) -> web.Response:
        """Make a container disappear behind everybody's back."""
        vmid = int(request.match_info["vmid"])
        container = self._sim.cluster.containers.get(vmid)
        if container and container.running:
            take_down(self._sim.cluster, container)
        self._sim.cluster.remove_container(vmid)
        return await self._done(vmid)

    async def stop_container(self, request: web.Request) -> web.Response:
        container = self._sim.cluster.containers[int(request.match_info["vmid"])]
        take_down(self._sim.cluster, container)
        return await self._done(container.vmid)

    async def start_container(self, request: web.Request) -> web.Response:
        container = self._sim.cluster.containers[int(request.match_info["vmid"])]
        bring_up(self._sim.cluster, container)
        return await self._done(container.vmid)

    async def change_node(self, request: web.Request) -> web.Response:
        """Take a node down or up, give it bridges, take programs away."""
        node = self._sim.cluster.nodes[request.match_info["node"]]
        for key, value in (await _read(request)).items():
            setattr(node, key, value)
        self._sim.cluster.touch("nodes", node.name)
        if not node.online:
            fail_over(self._sim.cluster, node.name)
        await self._sim.settle()
        return web.json_response(node.to_dict())

    async def change_cluster(self, request: web.Request) -> web.Response:
        """Change settings of the whole cluster: those of `CLUSTER_SETTINGS`."""
        wanted = await _read(request)
        if unknown := sorted(wanted.keys() - CLUSTER_SETTINGS):
            return web.json_response({"error": f"no such setting: {', '.join(unknown)}"}, status=400)
        for name, value in wanted.items():
            setattr(self._sim.cluster, name, value)
        return web.json_response(wanted)

    async def set_clock(self, request: web.Request) -> web.Response:
        """Move the cluster's clock: `{"now": seconds}`."""
        cluster = self._sim.cluster
        cluster.move_clock(float((await _read(request))["now"]))
        await self._sim.settle()
        return web.json_response({"now": cluster.now()})

    async def _done(self, vmid: int) -> web.Response:
        await self._sim.settle()
        return web.json_response({"vmid": vmid})


def _keep_local(handler: Handler) -> Handler:
    """Answer clients on this machine only."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if not ipaddress.ip_address(request.remote or "0.0.0.0").is_loopback:
            raise web.HTTPForbidden(text="/_sim is for clients on this machine")
        return await handler(request)

    return answer


def _merge(before: Any, patch: Any) -> Any:
    """JSON merge patch (RFC 7396)."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(before) if isinstance(before, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merge(merged.get(key), value)
    return merged


async def _read(request: web.Request) -> Any:
    text = await request.text()
    return json.loads(text) if text else {}
