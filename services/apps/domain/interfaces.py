"""What apps needs of containers, which are inventory's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class Ref:
    """Where a container is; the key is (host_id, vmid)."""

    host_id: int
    vmid: int
    node: str = ""


@dataclass(frozen=True)
class Task:
    """A Proxmox task; an empty upid had nothing to do."""

    host_id: int
    node: str
    upid: str
    result: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunningTask:
    """A task that runs on a container; `kind` is Proxmox's name for what it does: vzstart."""

    kind: str
    task: Task


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a place for a container must offer.

    Attributes:
        network_cidr: a static address, `static` for any of the network; empty: DHCP.
        any_network: also networks and addresses that users may not choose.
        owner: the app that a chosen address is reserved for.
    """

    host_id: int | None = None
    node: str = ""
    memory: int = 0
    disk_size: int = 0
    storage: str = ""
    oci: bool = False
    bridge: str = ""
    vlan: int = 0
    network_cidr: str = ""
    any_network: bool = False
    owner: str = ""


@dataclass(frozen=True, kw_only=True)
class Placement:
    """The place chosen."""

    host_id: int
    node: str
    oci: bool
    oci_reason: str = ""
    exec_mode: str = ""
    bridge: str = ""
    gateway: str = ""


@dataclass(frozen=True, kw_only=True)
class Defaults:
    """The settings that a deployment takes its defaults from: MB, cores, GB, MB."""

    memory: int
    cores: int
    disk_size: int
    swap: int
    bridge: str
    gateway: str
    nameservers: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class NewContainer:
    """A container to create."""

    hostname: str
    memory: int
    swap: int
    cores: int
    disk_size: int
    template: str
    storage: str
    network_cidr: str
    bridge: str
    gateway: str
    nameservers: tuple[str, ...]
    docker: bool
    oci: bool
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    entrypoint: str = ""
    mounts: tuple[tuple[str, int], ...] = ()
    note: str = ""
    vlan: int = 0
    password: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True)
class Container:
    """A container as it is now: bytes, seconds, cpu 0-1.

    Attributes:
        mounts: the paths of its volumes, where `find` looked.
        bare: `find` saw no disk: it is what a creation left that was broken off.
        named_owner: the app that its description names, also while its tag is missing, where `find` looked.
    """

    host_id: int
    vmid: int
    node: str
    name: str
    status: str
    memory: float = 0
    memory_used: float = 0
    disk: float = 0
    disk_used: float = 0
    uptime: float = 0
    cpus: int = 0
    cpu_usage: float = 0
    address: str = ""
    tags: tuple[str, ...] = ()
    owner: str = ""
    lock: str = ""
    template: bool = False
    mounts: tuple[str, ...] = ()
    bare: bool = False
    named_owner: str = ""


@dataclass(frozen=True)
class Scan:
    """Containers of all hosts that answered.

    Attributes:
        containers: found.
        complete: hosts that answered completely.
        skipped: hosts that did not.
        silent: why, of hosts that answered nothing at all.
        missing_nodes: nodes that did not answer: the marks of what is on them are not known.
    """

    containers: tuple[Container, ...]
    complete: frozenset[int]
    skipped: tuple[int, ...] = ()
    silent: Mapping[int, str] = field(default_factory=dict)
    missing_nodes: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Probe:
    """Whether a port answered."""

    answered: bool
    address: str
    message: str


OnProgress = Callable[[int | None, Sequence[str]], Awaitable[None]]
OnText = Callable[[str], Awaitable[None]]


class Containers(Protocol):
    """Inventory, as workflows and use cases need it. Everything is idempotent by the owner's mark."""

    async def place(self, wanted: Wanted) -> Placement:
        """Choose host and node."""

    async def get_defaults(self) -> Defaults:
        """Read the settings for deployments."""

    async def reserve_vmid(self, host_id: int, owner: str) -> int:
        """Reserve a container id; the same owner gets the same."""

    async def release_vmid(self, host_id: int, owner: str) -> None:
        """Give a reservation back."""

    async def create(self, ref: Ref, owner: str, new: NewContainer) -> Task:
        """Create a container."""

    async def act(self, action: str, ref: Ref, *, owner: str) -> Task:
        """Start, stop, reboot or destroy."""

    async def mark(self, action: str, ref: Ref, *, owner: str, instead_of: str = "") -> None:
        """Adopt: put the marks on and reserve the id, instead of another that is reserved; release: take them off.

        Args:
            action: adopt or release.
            ref: the container.
            owner: whose marks.
            instead_of: whose marks it carries, to be replaced.
        """

    async def clone(self, source: Ref, source_owner: str, *, target: Ref, owner: str, hostname: str) -> Task:
        """Copy a container."""

    async def configure(self, ref: Ref, owner: str, *, changes: Mapping[str, Any]) -> Task:
        """Change memory_mb, cores, disk_gb, hostname or environment."""

    async def snapshot(self, action: str, ref: Ref, *, owner: str, name: str) -> Task:
        """Make, go back to (rollback) or delete a snapshot."""

    async def drop_snapshots(self, ref: Ref, owner: str, *, min_age_s: int) -> Sequence[str]:
        """Delete the platform's own snapshots that are at least so old; their names."""

    async def migrate(self, ref: Ref, owner: str, *, node: str) -> Task:
        """Move to another node of the host."""

    async def move_volume(self, source: Ref, source_owner: str, *, target: Ref, owner: str) -> Task:
        """Hand one volume of a stopped container over; the finished task's result is empty when none was left."""

    async def restore_beside(
        self, ref: Ref, owner: str, *, archive: str, hostname: str, storage: str
    ) -> Task:
        """Make a new container of an archive, its root disk on `storage` (empty: as in the archive)."""

    async def restore(self, ref: Ref, owner: str, *, archive: str, storage: str) -> Task:
        """Overwrite a stopped container with an archive of it; `storage` where the container has no root disk.

        Raises:
            PreconditionError: it has volumes that are not in the archive, which would be destroyed.
        """

    async def pull_image(self, host_id: int, node: str, *, image: str, storage: str) -> Task:
        """Pull an OCI image as a template."""

    async def finish(self, task: Task, on_progress: OnProgress) -> str:
        """Follow a task to its end and return its result.

        Raises:
            StepFailedError: the task failed.
            TransientError: it failed for a reason that passes.
        """

    async def list_tasks(self, ref: Ref) -> Sequence[RunningTask]:
        """The tasks that run on a container, also on one that is not there yet."""

    async def stop_task(self, task: Task) -> None:
        """Stop a task; one that has ended is left alone."""

    async def find(self, ref: Ref, *, timeout: float = 10.0) -> Container | None:
        """One container; None when the host answers and has none."""

    async def find_owned(
        self, owner: str, *, host_id: int, hostname: str, timeout: float = 60.0
    ) -> Sequence[Container]:
        """The containers on any host that carry an owner's mark, whatever is reserved; `host_id` must answer.

        Raises:
            UnavailableError: it does not, or does not say whose the container with this hostname is.
        """

    async def scan(self, host_id: int | None = None, *, with_addresses: bool = False) -> Scan:
        """All containers of the hosts that answer."""

    async def measure(self, host_id: int, *, timeout: float) -> Mapping[int, Container]:
        """The containers of a host by id, with their owners, as one call to it tells: without addresses."""

    async def find_web_port(self, ref: Ref) -> int | None:
        """The port inside that looks like the application's page."""

    async def execute(
        self,
        ref: Ref,
        owner: str,
        *,
        argv: Sequence[str],
        on_text: OnText,
        stdin: bytes = b"",
        stall_s: int = 600,
    ) -> int:
        """Run a command inside on an input, and return its exit status; silent for `stall_s` seconds, it has hung."""

    async def push_file(self, ref: Ref, owner: str, *, path: str, content: str, mode: int) -> None:
        """Write a file inside, whole or not at all, and make its folder."""

    async def probe(
        self,
        ref: Ref,
        owner: str,
        *,
        port: int,
        scheme: str,
        path: str,
        thorough: bool = True,
        wait_s: float = 0,
    ) -> Probe:
        """Ask a port, for up to `wait_s` seconds until it answers.

        `thorough`: from inside too when it refuses, which starts a process on the node.
        """
