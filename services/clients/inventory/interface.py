"""What apps needs of containers, which are inventory's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from services.clients.inventory.values import (
    Container,
    Defaults,
    NewContainer,
    Placement,
    Probe,
    Ref,
    RunningTask,
    Scan,
    Task,
    Wanted,
)

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
            TaskFailedError: the task failed.
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
