"""Reads of containers that callers share."""

from __future__ import annotations

from services.clients.inventory.interface import Containers
from services.clients.inventory.values import Container, Ref
from services.common.core.errors import NotFoundError

_WORKER_S = 60.0  # no person waits for a worker: as long as Proxmox may take to answer at all


async def find_container(containers: Containers, ref: Ref, *, timeout: float = 10.0) -> Container | None:
    """Read one container, within `timeout` seconds; None when the host answers and has none.

    Raises:
        UnavailableError: the host does not answer.
    """
    try:
        return await containers.get_container(ref, timeout=timeout)
    # UnavailableError goes on: a host that is silent has not said that the container is gone.
    except NotFoundError:
        return None


async def has_container(containers: Containers, ref: Ref) -> bool:
    """Whether there is a container; waits for its host as long as writes do."""
    return await find_container(containers, ref, timeout=_WORKER_S) is not None


async def is_running(containers: Containers, ref: Ref) -> bool:
    """Whether a container runs; False also when there is none."""
    container = await find_container(containers, ref, timeout=_WORKER_S)
    return container is not None and container.status == "running"
