"""Starting a container: what Proxmox warns of, and whether there will be an address."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from services.apps.domain.errors import StepFailedError
from services.apps.workflows.state import AppState
from services.apps.workflows.steps import container as shared
from services.apps.workflows.steps.container import Steps
from services.apps.workflows.steps.tools import Tools
from services.clients.inventory.values import Container, NewContainer, Ref, Task, TaskProgress
from tests.fakes.containers import FakeContainers
from tests.fakes.one_app import APP, Notes, OneApp

WARNING = "WARN: DHCP failed - no lease for net0 (eth0) from any server"


class WarningContainers(FakeContainers):
    """A host whose DHCP client gives up; `address` is what the container has nevertheless."""

    address = ""

    async def watch_task(self, task: Task) -> AsyncIterator[TaskProgress]:
        lines = (WARNING, "", "\t", "TASK WARNINGS: 1")
        yield TaskProgress(done=True, succeeded=True, exit_status="WARNINGS: 1", lines=lines)

    async def get_container(self, ref: Ref, *, timeout: float = 10.0) -> Container:
        container = await super().get_container(ref, timeout=timeout)
        return Container(**{**vars(container), "address": self.address})


class Log(Notes):
    async def note_upid(self, upid: str) -> None:
        """Nothing looks for it."""

    async def progress(self, fraction: float, *, message: str = "") -> None:
        """Nothing shows it."""


async def start(address: str) -> Log:
    containers, log = WarningContainers(), Log()
    containers.address = address
    ref = Ref(1, 105, "pve1")
    new = NewContainer(
        hostname="web", memory=512, swap=0, cores=1, disk_size=4, template="", storage="", network_cidr="",
        bridge="", gateway="", nameservers=(), docker=False, oci=True,
    )  # fmt: skip
    await containers.create_container(ref, owner=APP, new=new)
    steps: Steps[AppState] = Steps(Tools(containers, OneApp()))
    try:
        await steps.start(AppState(APP, 1, "pve1", 105), log)  # type: ignore[arg-type]
    finally:
        assert WARNING in log.lines
        assert all(line.strip() for line in log.lines)
    return log


async def test_a_container_without_an_address_fails_at_once_with_what_proxmox_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shared, "_DHCP_WAIT_S", 0.01)
    with pytest.raises(StepFailedError, match=r"got no address: WARN: DHCP failed .* static address"):
        await start("")


async def test_a_warning_about_dhcp_does_no_harm_to_a_container_that_has_an_address() -> None:
    await start("10.0.0.7")
