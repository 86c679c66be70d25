"""Restore tests as inventory carries them out: values and Protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from services.clients.inventory.values import Ref, Task

# Ids of apps have no colon: a test container is never taken for one of an app, which a person could open or adopt.
TEST_PREFIX = "restore-test:"
"""Begins the owner of a test container; the id of the operation follows."""


@dataclass(frozen=True, kw_only=True)
class RestoreTestOrder:
    """An archive to test: preferably on `node`; `storage` empty: the one with most free space; `bridge` empty: none."""

    host_id: int
    archive: str
    node: str = ""
    storage: str = ""
    bridge: str = ""


@dataclass(frozen=True, kw_only=True)
class RestoreTestPlan:
    """Place for a restore test; sizes in bytes, `notes` on what the test container does not get."""

    node: str
    storage: str
    required: float = 0
    free: float = 0
    bridge: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RestoreTestPlaces:
    """Nodes, as host/node, that have an isolated bridge and a storage, and why others do not have the bridge."""

    bridge_nodes: tuple[str, ...] = ()
    storage_nodes: tuple[str, ...] = ()
    bridge_problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReservedTest:
    """A container id that is reserved for a restore test, and for how many seconds it has been."""

    host_id: int
    vmid: int
    owner: str
    age_s: int


@dataclass(frozen=True, kw_only=True)
class DockerContainer:
    """A container of Docker; `image` as the definition names it, `state` as Docker does."""

    name: str
    image: str
    image_id: str
    state: str
    exit_code: int = 0


@dataclass(frozen=True, kw_only=True)
class Contents:
    """Contents of a running container.

    Attributes:
        docker_answers: whether Docker's daemon does.
        images: ids.
        folders: number of entries by name of a Docker volume or path of a mount point.
    """

    has_docker: bool = False
    docker_answers: bool = False
    containers: tuple[DockerContainer, ...] = ()
    images: tuple[str, ...] = ()
    folders: tuple[tuple[str, int], ...] = ()


class RestoreTests(Protocol):
    """The part of inventory's ContainerService that restore tests use."""

    async def plan_restore_test(self, order: RestoreTestOrder) -> RestoreTestPlan:
        """Choose a node and a storage for a test.

        Raises:
            NotFoundError: no storage has the archive.
            PreconditionError: it cannot be isolated, or there is no room.
        """

    async def check_restore_test_place(self, *, bridge: str, storage: str) -> RestoreTestPlaces:
        """Find the nodes that have an isolated bridge, and those that have a storage for containers."""

    async def restore_test_container(
        self, ref: Ref, *, owner: str, archive: str, storage: str, bridge: str = ""
    ) -> Task:
        """Make a test container of an archive; one that is there is checked to be isolated."""

    async def list_restore_tests(self) -> Sequence[ReservedTest]:
        """List the container ids that are reserved for tests, with or without a container."""

    async def inspect_contents(self, ref: Ref, *, owner: str) -> Contents:
        """Return what is in a running container.

        Raises:
            PreconditionError: it does not run, or no commands can be run in it.
        """
