"""Containers of Proxmox, as use cases and workflows of other services need them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Protocol

from services.clients.inventory.archive_interface import Archives
from services.clients.inventory.inspections import Inspected
from services.clients.inventory.metrics import MetricHistory
from services.clients.inventory.migration import MigrationTargets
from services.clients.inventory.restore_tests import RestoreTests
from services.clients.inventory.values import (
    Container,
    ContainerChanges,
    ContainerTask,
    Defaults,
    NewContainer,
    NodeCapacity,
    Placement,
    Probe,
    Ref,
    Scan,
    Task,
    TaskProgress,
    Wanted,
)

OnText = Callable[[str], Awaitable[None]]


# Apart from `Containers`, so that what only follows tasks can be tested with a fake of three methods.
class Tasks(Protocol):
    """Tasks of Proxmox. Each method may raise UnavailableError."""

    def watch_task(self, task: Task) -> AsyncIterator[TaskProgress]:
        """Follow a task to its end.

        Raises:
            NotFoundError: Proxmox does not know the task any more.
        """

    async def list_container_tasks(self, ref: Ref) -> Sequence[ContainerTask]:
        """List the tasks that run on a container, also on one that is not there yet."""

    async def stop_task(self, task: Task) -> None:
        """Stop a task; a task that has ended is left alone."""


class Containers(Archives, Tasks, RestoreTests, Protocol):
    """Inventory's ContainerService. Methods that write are idempotent by the owner's mark on the container."""

    async def place_container(self, wanted: Wanted) -> Placement:
        """Choose host and node."""

    async def list_capacity(self) -> Sequence[NodeCapacity]:
        """List the nodes of all hosts with what they have and use, as they were read last."""

    async def get_deployment_defaults(self) -> Defaults:
        """Read the settings for deployments."""

    async def reserve_vmid(self, host_id: int, owner: str) -> int:
        """Reserve a container id; the same owner gets the same id."""

    async def release_vmid(self, host_id: int, owner: str) -> None:
        """Release a reserved container id."""

    async def create_container(self, ref: Ref, *, owner: str, new: NewContainer) -> Task:
        """Create a container with the owner's mark."""

    async def start_container(self, ref: Ref, *, owner: str) -> Task:
        """Start a container."""

    async def stop_container(self, ref: Ref, *, owner: str) -> Task:
        """Shut a container down, by force when it does not end in time."""

    # Its effect leaves no mark by which a repetition could find it done.
    async def reboot_container(self, ref: Ref, *, owner: str) -> Task:
        """Reboot a container. Not idempotent: never repeated by the client."""

    async def destroy_container(self, ref: Ref, *, owner: str) -> Task:
        """Destroy a stopped container, or what a broken-off creation left."""

    async def adopt_container(self, ref: Ref, *, owner: str, instead_of: str = "") -> None:
        """Put the owner's marks on a container in place of those of `instead_of`, and reserve its id."""

    async def release_container(self, ref: Ref, *, owner: str) -> None:
        """Take the owner's marks off a container."""

    async def clone_container(
        self, source: Ref, *, source_owner: str, target: Ref, owner: str, hostname: str
    ) -> Task:
        """Copy a container to a new one of `owner`."""

    async def configure_container(self, ref: Ref, *, owner: str, changes: ContainerChanges) -> Task:
        """Change the configuration of a container, and grow its root disk."""

    async def snapshot_container(self, ref: Ref, *, owner: str, name: str) -> Task:
        """Take a snapshot."""

    async def rollback_container(self, ref: Ref, *, owner: str, name: str) -> Task:
        """Roll a container back to a snapshot; the container is stopped then."""

    async def delete_snapshot(self, ref: Ref, *, owner: str, name: str) -> Task:
        """Delete a snapshot."""

    async def drop_snapshots(self, ref: Ref, *, owner: str, min_age_s: int) -> Sequence[str]:
        """Delete the platform's own snapshots that are at least so old, and return their names."""

    async def migrate_container(self, ref: Ref, *, owner: str, target_node: str) -> Task:
        """Move a container to another node of its host."""

    async def move_volume(self, source: Ref, *, source_owner: str, target: Ref, owner: str) -> Task:
        """Move one volume of a stopped container; the task's result is empty when none was left."""

    async def pull_image(self, host_id: int, node: str, *, reference: str, storage: str = "") -> Task:
        """Pull an OCI image as a template."""

    async def get_container(self, ref: Ref, *, timeout: float = 10.0) -> Container:
        """Read one container, within `timeout` seconds.

        Raises:
            NotFoundError: the host answers and has no such container.
        """

    async def list_migration_targets(self, ref: Ref, *, owner: str) -> MigrationTargets:
        """List the other nodes of a container's host, with the reason why it does not fit one.

        Raises:
            NotFoundError: there is none.
            ForbiddenError: it does not carry the owner's mark.
        """

    async def get_container_metrics(self, ref: Ref, *, owner: str, timeframe: str) -> MetricHistory:
        """Return what a container used over the last hour, day, week, month or year.

        Raises:
            NotFoundError: there is none.
            ForbiddenError: it does not carry the owner's mark.
        """

    # A database that was restored from a backup lacks the newest reservations; the marks on the containers do not.
    async def find_owned_containers(
        self, owner: str, *, host_id: int, hostname: str, timeout: float = 60.0
    ) -> Sequence[Container]:
        """Find the containers on any host that carry an owner's mark, regardless of reservations.

        Raises:
            UnavailableError: host `host_id` does not answer, or the owner of its container with this hostname is
                unknown.
        """

    async def list_containers(
        self,
        host_id: int | None = None,
        *,
        with_addresses: bool = False,
        brief: bool = False,
        timeout: float = 60.0,
    ) -> Scan:
        """List the containers of the hosts that answer; `brief` does not wait for hosts that are known to be silent."""

    async def list_address_conflicts(self, ref: Ref) -> list[str]:
        """Return a sentence for each static address of a container that somebody else on its host has too."""

    # For adopted containers, of which nobody has said which port shows the application.
    async def inspect_container(self, ref: Ref) -> int | None:
        """Return the port inside that serves the application's page, or None."""

    async def read_inspection(self, ref: Ref) -> Inspected:
        """Return what runs in a container of anybody, for a person who waits.

        Raises:
            PreconditionError: it does not run.
        """

    async def exec(
        self,
        ref: Ref,
        *,
        owner: str,
        argv: Sequence[str],
        on_text: OnText,
        stdin: bytes = b"",
        stall_s: int = 600,
    ) -> int:
        """Run a command inside and return its exit status; after `stall_s` seconds without output it is ended."""

    async def push_file(self, ref: Ref, *, owner: str, path: str, content: str, mode: int) -> None:
        """Write a file inside atomically, and make its folder."""

    async def probe_port(
        self,
        ref: Ref,
        *,
        owner: str,
        port: int,
        scheme: str,
        path: str,
        thorough: bool = True,
        wait_s: float = 0,
        inside: bool = False,
    ) -> Probe:
        """Probe a port, for up to `wait_s` seconds until it answers.

        `thorough`: from inside too when it refuses, which starts a process on the node; `inside`: once, from inside alone.
        """
