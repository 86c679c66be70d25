"""Reads of containers that callers share."""

from __future__ import annotations

from services.clients.inventory.interface import Containers
from services.clients.inventory.values import Container, Ref
from services.common.core.errors import NotFoundError


async def find_container(containers: Containers, ref: Ref, *, timeout: float = 10.0) -> Container | None:
    """Read one container, within `timeout` seconds; None when the host answers and has none.

    Raises:
        UnavailableError: the host does not answer.
    """
    try:
        return await containers.get_container(ref, timeout=timeout)
    except NotFoundError:
        return None
