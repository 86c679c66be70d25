"""Records of a cluster: what it remembers, and how that is found and saved."""

import random
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from tests.pvesim.model.consoles import Session
from tests.pvesim.model.entities import (
    Acl,
    Container,
    Machine,
    Node,
    Pool,
    Record,
    Storage,
    Task,
    Token,
    User,
    Volume,
)
from tests.pvesim.model.errors import TaskFailedError, bad_params, refuse
from tests.pvesim.model.guests import GuestLike, GuestMaker, HollowGuests
from tests.pvesim.model.shared import SharedFolder
from tests.pvesim.model.work import Job, Locks

RECORDS: dict[str, type[Record]] = {
    "nodes": Node,
    "storages": Storage,
    "volumes": Volume,
    "tasks": Task,
    "users": User,
    "tokens": Token,
    "acls": Acl,
    "pools": Pool,
    "machines": Machine,
}


@dataclass
class ClusterState:
    """Everything one simulated cluster remembers. Pure: nothing here waits or writes.

    `changed` names what differs from the last time somebody saved it, `started`
    holds work that somebody has to drive, `moved` names containers whose real
    listeners may have to follow.
    """

    name: str = "pve"
    version: str = "9.2.11"
    first_vmid: int = 100
    dhcp: bool = True
    ipv6: str = ""
    cgroup_mode: int = 2
    clock_shift: float = 0
    status_seconds: float = 0
    attach_seconds: float = 0.02
    serial: int = 0
    secret: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    aplinfo: list[dict[str, Any]] = field(default_factory=list)
    nodes: dict[str, Node] = field(default_factory=dict)
    storages: dict[str, Storage] = field(default_factory=dict)
    volumes: dict[str, Volume] = field(default_factory=dict)
    containers: dict[int, Container] = field(default_factory=dict)
    machines: dict[str, Machine] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    users: dict[str, User] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    acls: dict[str, Acl] = field(default_factory=dict)
    pools: dict[str, Pool] = field(default_factory=dict)
    roles: dict[str, list[str]] = field(default_factory=dict)
    guests: GuestMaker = field(default_factory=HollowGuests)
    clock: Callable[[], float] = time.time
    rng: random.Random = field(default_factory=random.Random)
    locks: Locks = field(default_factory=Locks)
    started: list[Job] = field(default_factory=list)
    changed: dict[tuple[str, str], None] = field(default_factory=dict)
    moved: set[int] = field(default_factory=set)
    interrupted: set[str] = field(default_factory=set)
    is_lock_stuck: Callable[[Task], bool] = lambda _task: False
    consoles: dict[int, Session] = field(default_factory=dict)
    revision: int = 0
    totals: object = None
    shared: SharedFolder | None = None

    SETTINGS = (
        "name", "version", "first_vmid", "dhcp", "ipv6", "cgroup_mode", "clock_shift", "serial", "secret",
        "options", "aplinfo", "roles",
    )  # fmt: skip

    def now(self) -> float:
        """Seconds since the epoch, on the cluster's own clock."""
        return self.clock() + self.clock_shift

    def move_clock(self, now: float) -> None:
        """Make it `now`; what has been running goes on as long as before."""
        shift = now - self.now()
        self.clock_shift += shift
        self.touch("settings", "clock_shift")
        for node in self.nodes.values():
            node.boot_time += int(shift)
            self.touch("nodes", node.name)
        for container in self.containers.values():
            container.started_at += shift
            self.touch("containers", container.vmid)

    def touch(self, kind: str, key: object) -> None:
        """Say that a record was added, changed or removed."""
        self.changed[kind, str(key)] = None
        self.revision += 1
        if kind == "volumes" and self.shared is not None:
            self._publish(str(key))

    def _publish(self, key: str) -> None:
        node, _, volid = key.partition("|")
        name, _, volume = volid.partition(":")
        storage = self.storages.get(name)
        if self.shared is not None and storage is not None and not node:
            self.shared.publish(storage, volume, self.volumes.get(key))

    def follow_shared(self) -> None:
        """Bring in what other clusters did on the storages that they share with this one."""
        for storage in self.storages.values() if self.shared is not None else ():
            found, gone = self.shared.collect(storage) if self.shared else ([], [])
            for volume in found:
                self.volumes[volume.key] = volume
            for name in gone:
                self.volumes.pop(f"|{storage.name}:{name}", None)
            for key in [*(one.key for one in found), *(f"|{storage.name}:{name}" for name in gone)]:
                self.changed["volumes", key] = None
                self.revision += 1

    # Records -----------------------------------------------------------------

    def add(self, kind: str, key: str, record: Record) -> None:
        """Add or replace a record of a kind."""
        getattr(self, kind)[key] = record
        self.touch(kind, key)

    def drop(self, kind: str, key: str) -> None:
        """Remove a record, present or not."""
        getattr(self, kind).pop(key, None)
        self.touch(kind, key)

    def add_container(self, container: Container) -> None:
        """Add or replace a container."""
        self.containers[container.vmid] = container
        container.created_at = container.created_at or self.now()
        self.mark(container)

    def mark(self, container: Container) -> None:
        """Say that a container changed, its listeners perhaps as well."""
        self.touch("containers", container.vmid)
        self.moved.add(container.vmid)

    def remove_container(self, vmid: int, *, volumes: Collection[str] | None = None) -> None:
        """Forget a container, its pool membership, and these volumes by their keys; None: all with its id."""
        self.containers.pop(vmid, None)
        self.touch("containers", vmid)
        self.moved.add(vmid)
        owned = [
            key
            for key, one in self.volumes.items()
            if (
                key in volumes
                if volumes is not None
                else one.vmid == vmid and one.content in {"rootdir", "images"}
            )
        ]
        for key in owned:
            self.drop("volumes", key)
        for pool in self.pools.values():
            if vmid in pool.vms:
                pool.vms.remove(vmid)
                self.touch("pools", pool.poolid)

    # Looking up --------------------------------------------------------------

    def get_container(self, node: str, vmid: int) -> Container:
        """The container on that node, or the error of a missing configuration file."""
        container = self.containers.get(vmid)
        if container is None or container.node != node:
            raise refuse(missing_config(node, vmid))
        return container

    def find_in_task(self, node: str, vmid: int) -> Container:
        """The same for work under way: the error ends the task."""
        container = self.containers.get(vmid)
        if container is None or container.node != node:
            raise TaskFailedError(missing_config(node, vmid))
        return container

    def list_containers(self, node: str) -> Iterator[Container]:
        """The containers on one node."""
        return (one for one in self.containers.values() if one.node == node)

    def get_storage(self, name: str, node: str) -> Storage:
        """A storage that is enabled on a node."""
        storage = self.storages.get(name)
        if storage is None:
            raise refuse(f"storage '{name}' does not exist")
        if not storage.enabled:
            raise refuse(f"storage '{name}' is disabled")
        if storage.nodes and node not in storage.nodes:
            raise refuse(f"storage '{name}' is not available on node '{node}'")
        return storage

    def find_volume(self, volid: str, node: str) -> Volume | None:
        """A volume as seen from a node."""
        return self.volumes.get(f"{node}|{volid}") or self.volumes.get(f"|{volid}")

    def check_unused(self, vmid: int) -> None:
        """Refuse an id that the cluster knows."""
        if (taken := self.containers.get(vmid)) is not None:
            raise refuse(f"CT {vmid} already exists on node '{taken.node}'")
        if (machine := self.machines.get(str(vmid))) is not None:
            raise refuse(f"VM {vmid} already exists on node '{machine.node}'")

    def find_free_vmid(self) -> int:
        """The lowest id nobody has; nothing is reserved."""
        vmid = self.first_vmid
        while vmid in self.containers or str(vmid) in self.machines:
            vmid += 1
        return vmid

    def make_mac(self) -> str:
        """A new hardware address under the cluster's prefix."""
        tail = ":".join(f"{self.rng.randrange(256):02X}" for _ in range(3))
        return f"{self.options.get('mac_prefix', 'BC:24:11')}:{tail}"

    # Saving ------------------------------------------------------------------

    def find_record(self, kind: str, key: str) -> dict[str, Any] | None:
        """A record as JSON data, None when it is gone."""
        if kind == "settings":
            return {"value": {name: getattr(self, name) for name in self.SETTINGS}}
        held = getattr(self, kind)
        record = held.get(int(key) if kind in {"containers", "machines"} else key)
        return cast("dict[str, Any]", record.to_dict()) if record is not None else None

    def load_record(self, kind: str, key: str, data: dict[str, Any]) -> None:
        """Put back what `find_record` gave."""
        if kind == "settings":
            for name, value in data["value"].items():
                setattr(self, name, value)
        elif kind == "containers":
            self.containers[int(key)] = Container.from_dict(data, self.guests)
        else:
            getattr(self, kind)[key] = RECORDS[kind].from_dict(data)

    def touch_all(self) -> None:
        """Mark everything as changed, for a first save."""
        self.touch("settings", "all")
        for kind in (*RECORDS, "containers"):
            for key in getattr(self, kind):
                self.touch(kind, key)

    def copy_guest(self, guest: GuestLike | None) -> dict[str, Any] | None:
        """An inside as data of its own, for a snapshot or an archive."""
        import json

        return json.loads(json.dumps(guest.to_dict())) if guest else None


def missing_config(node: str, vmid: int) -> str:
    """Proxmox's words for a container that is not on that node."""
    return f"Configuration file 'nodes/{node}/lxc/{vmid}.conf' does not exist"


def no_such_storage() -> Exception:
    """Proxmox's words for an unknown storage asked by path."""
    return bad_params({"storage": "No such storage."})
