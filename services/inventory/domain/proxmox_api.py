"""The API of Proxmox VE as the inventory uses it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from services.inventory.domain.access import Access, ClusterEndpoint
from services.inventory.domain.task_pace import TaskTimes


class ProxmoxApi(Protocol):
    """The API of one host; requests to a cluster may go through any of its nodes.

    All methods raise HostUnreachableError when the host or node does not answer, HostCredentialsRefusedError when it
    does not accept the credentials, and ProxmoxRefusedError with the words of Proxmox. Those that write raise
    WriteUncertainError when no answer came to a request that may have been carried out.
    """

    @property
    def access(self) -> Access:
        """Return the address in use and the credentials."""

    @property
    def task_times(self) -> TaskTimes:
        """Return how long tasks took lately on the host."""

    async def get(self, path: str, /, **params: Any) -> Any:
        """Read; repeated after failures that pass."""

    async def post(self, path: str, /, **params: Any) -> Any:
        """Write with POST."""

    async def put(self, path: str, /, **params: Any) -> Any:
        """Write with PUT."""

    async def delete(self, path: str, /, **params: Any) -> Any:
        """Write with DELETE."""

    async def get_headers(self) -> dict[str, str]:
        """Return the headers that authenticate a request."""

    def use_endpoints(self, endpoints: Sequence[ClusterEndpoint]) -> None:
        """Set the other nodes of the cluster, to which requests fail over."""

    def close(self) -> None:
        """Close all connections."""
