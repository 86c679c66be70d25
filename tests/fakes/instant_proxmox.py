"""Inventory's own client on a Proxmox in memory; its tasks run when somebody asks how they stand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from proximity.inventory.v1 import container_service_pb2 as cs

from services.common.rpc.call import Call
from services.inventory.domain.access import Access, CommandOutput, ExecRoute
from services.inventory.domain.containers import View
from services.inventory.domain.entities import Host
from services.inventory.domain.errors import ContainerLockedError
from services.inventory.domain.interfaces import HostStore
from services.inventory.domain.proxmox_api import ProxmoxApi
from services.inventory.handlers.containers import ContainerHandlers
from services.inventory.proxmox.answers import Answer
from services.inventory.proxmox.client import ProxmoxClient
from services.inventory.proxmox.consoles import Consoles
from services.inventory.proxmox.container_access import SshOrConsoleAccess, describe_lock
from services.inventory.proxmox.fleet import Fleet, make_access
from services.inventory.proxmox.refusals import translate
from services.inventory.proxmox.ssh import Shells, SshKeys
from tests.fakes.inline import InlineExecutor
from tests.pvesim.instant import InstantProxmox
from tests.pvesim.model.errors import ApiError


class InstantClient(ProxmoxClient):
    """Asks the cluster in memory, one request at a time."""

    def __init__(self, access: Access, proxmox: InstantProxmox) -> None:
        super().__init__(access, threads=1)
        self._threads = InlineExecutor(1)
        self._proxmox = proxmox

    def _send(self, method: str, path: str, params: dict[str, Any]) -> Any:
        outage = self._proxmox.outage
        if outage is None:
            return self._answer(method, path, params)
        return outage.meddle(self, method, path, lambda: self._answer(method, path, params))

    def end_silence(self) -> None:
        """Ask again at once: simulated time has passed, the client's own clock has not."""
        self._silence = self._silent_until = 0.0

    def _answer(self, method: str, path: str, params: dict[str, Any]) -> Any:
        if method == "get" and "/tasks/" in path and path.endswith("/status"):
            self._proxmox.run_tasks()
        try:
            return self._proxmox.request(method.upper(), path, dict(params))
        except ApiError as error:
            refusal = Answer(error.status, error.reason, errors=error.errors or {})
            raise translate(refusal, self.access, method=method, path=path) from error


class InstantFleet(Fleet):
    """Clients of the one cluster, whichever host is named, unless `others` has another one for its name."""

    def __init__(self, hosts: HostStore, proxmox: InstantProxmox) -> None:
        super().__init__(hosts)
        self._proxmox = proxmox
        self._instant: dict[int, InstantClient] = {}
        self.others: dict[str, InstantProxmox] = {}

    async def get_client_of(self, host: Host) -> ProxmoxClient:
        """See `Fleet.get_client_of`."""
        if host.id not in self._instant:
            access = make_access(host, await self._hosts.get_secrets(host.id))
            self._instant[host.id] = InstantClient(access, self.others.get(host.name, self._proxmox))
        return self._instant[host.id]

    def end_silence(self) -> None:
        """See `InstantClient.end_silence`."""
        for client in self._instant.values():
            client.end_silence()

    def close(self) -> None:
        """See `Fleet.close`."""
        for client in self._instant.values():
            client.close()


class InstantContainerAccess(SshOrConsoleAccess):
    """ContainerLookup in which every command succeeds.

    Attributes:
        is_token: the credentials are a token alone, which takes no locks off.
    """

    is_token = False

    def __init__(self, keys: SshKeys, proxmox: InstantProxmox) -> None:
        super().__init__(Shells(keys), Consoles())
        self._proxmox = proxmox
        self.outputs: dict[str, str] = {"docker volume ls": "end\n"}  # nothing is in any of them
        self.files: dict[str, tuple[bytes, int]] = {}
        self.of_nodes: dict[str, CommandOutput] = {}
        self.on_nodes: list[tuple[str, str]] = []

    async def find_route(self, client: ProxmoxApi, node: str = "", *, again: bool = False) -> ExecRoute:
        """See `SshOrConsoleAccess.find_route`."""
        return ExecRoute("ssh")

    async def stream(
        self, view: View, argv: Sequence[str], *, stdin: bytes = b"", stall_s: float, timeout_s: float
    ) -> AsyncIterator[str | int]:
        """See `SshOrConsoleAccess.stream`."""
        command = " ".join(argv)
        yield next((text for word, text in self.outputs.items() if word in command), "proximity-answered\n")
        yield 0

    async def push(self, view: View, *, path: str, content: bytes, mode: int) -> None:
        """See `SshOrConsoleAccess.push`."""
        self.files[path] = (content, mode)

    async def run_on_node(
        self, client: ProxmoxApi, node: str, argv: Sequence[str], *, timeout_s: float
    ) -> CommandOutput:
        """See `SshOrConsoleAccess.run_on_node`."""
        command = " ".join(argv)
        self.on_nodes.append((node, command))
        return next(
            (done for word, done in self.of_nodes.items() if word in command), CommandOutput("/dump/file", 0)
        )

    async def unlock(self, view: View) -> None:
        """See `SshOrConsoleAccess.unlock`."""
        if self.is_token:
            raise ContainerLockedError(describe_lock(view))
        self._proxmox.cluster.containers[view.vmid].config.pop("lock", None)


class InstantContainerHandlers(ContainerHandlers):
    """Ports are asked inside at once: no address of these containers has a listener to wait for."""

    async def probe_port(self, request: cs.ProbePortRequest, call: Call) -> cs.ProbePortResponse:
        """See `ContainerHandlers.probe_port`."""
        request.thorough, request.wait_s = True, 0
        return await super().probe_port(request, call)
