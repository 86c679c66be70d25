"""Containers and tasks of Proxmox as values."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from services.inventory.domain.errors import ContainerLockedError, HostUnreachableError
from services.inventory.domain.proxmox_api import ProxmoxApi

_UNFINISHED_LOCKS = ("create", "disk")


@dataclass(frozen=True)
class ContainerRef:
    """Place of a container; the node is a hint, as the HA manager and people move containers."""

    host_id: int
    vmid: int
    node: str = ""


@dataclass(frozen=True)
class ProxmoxTask:
    """A task of Proxmox; without a upid there was nothing to do.

    Attributes:
        result: the volume or snapshot that is made or was found, if it is known at once.
        warnings: for the log of the app.
    """

    host_id: int
    node: str
    upid: str = ""
    result: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class ListedTask:
    """A task of a container as Proxmox lists it.

    Attributes:
        started_at: epoch seconds.
        exit_status: empty while it runs.
    """

    upid: str
    node: str
    type: str
    is_running: bool
    exit_status: str
    started_at: int


@dataclass(frozen=True)
class ListedBackup:
    """A vzdump that runs on a node; `vmid` 0: a job over several guests."""

    upid: str
    node: str
    vmid: int
    user: str


@dataclass(frozen=True)
class View:
    """A container as it is now: its configuration, status and running tasks."""

    client: ProxmoxApi
    node: str
    vmid: int
    config: dict[str, Any]
    status: dict[str, Any] = field(default_factory=dict)
    tasks: tuple[dict[str, Any], ...] = ()

    @property
    def path(self) -> str:
        """Path of the container in the API."""
        return f"/nodes/{self.node}/lxc/{self.vmid}"

    @property
    def is_running(self) -> bool:
        """Whether the container runs."""
        return self.status.get("status") == "running"

    @property
    def lock(self) -> str:
        """Kind of work for which Proxmox has locked it; empty when it is not locked."""
        return str(self.config.get("lock") or "")

    @property
    def is_unfinished(self) -> bool:
        """Whether its creation has not ended: it has the lock of one, or no root disk since a person removed that lock."""
        return self.lock in _UNFINISHED_LOCKS or "rootfs" not in self.config

    def find_task(self, types: Collection[str]) -> ProxmoxTask | None:
        """Return a running task of one of these types, or None."""
        for task in self.tasks:
            if task.get("type") in types:
                return ProxmoxTask(self.client.access.host_id, self.node, str(task["upid"]))
        return None

    def done(self, result: str = "") -> ProxmoxTask:
        """Return a task without a upid: nothing had to be done."""
        return ProxmoxTask(self.client.access.host_id, self.node, result=result)


def is_of_host(error: HostUnreachableError) -> bool:
    """Whether the host as a whole does not answer, and not only one node behind it."""
    return error.metadata.get("scope") == "host"


def check_unlocked(view: View) -> None:
    """Refuse what Proxmox would refuse while it works on a container.

    Raises:
        ContainerLockedError: it has a lock, such as that of a nightly backup.
    """
    if view.lock:
        why = (
            "Proxmox works on it"
            if view.tasks
            else f"if no task on {view.node} works on it, one was cut off, and `pct unlock {view.vmid}` there helps"
        )
        raise ContainerLockedError(f"container {view.vmid} is locked ({view.lock}): {why}", retry_after=2)
