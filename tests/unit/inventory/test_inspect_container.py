"""InspectContainer: what listens in a running container, and which port is its page."""

from __future__ import annotations

import pytest

from services.clients.inventory.errors import ContainerNotFoundError
from services.inventory.domain.containers import ContainerRef
from services.inventory.domain.errors import ContainerStoppedError
from services.inventory.domain.ports import Inspection
from services.inventory.usecases.guests import inspect_container
from tests.fakes.inventory import InstantInventory


async def inspect(inventory: InstantInventory, ref: ContainerRef) -> Inspection:
    return await inspect_container(inventory.lookup, inventory.parts.access, ports=inventory.ports, ref=ref)


async def test_listening_ports_the_system_and_the_image_are_read(inventory: InstantInventory) -> None:
    inventory.parts.access.outputs = {
        "ss -Htlnp": 'LISTEN 0 5 *:3000 *:* users:(("node",pid=1,fd=3))\nLISTEN 0 5 *:22 *:* users:(("sshd"))\n',
        "os-release": 'PRETTY_NAME="Debian 12"\n',
        "docker ps": "ghost:5\nmysql:8\n",
    }
    inventory.ports.open_ports = {3000: 200, 22: None}
    found = await inspect(inventory, inventory.stranger)
    assert [(one.port, one.process, one.http) for one in found.ports] == [
        (22, "sshd", False),
        (3000, "node", True),
    ]
    assert (found.web_port, found.os, found.image) == (3000, "Debian 12", "ghost:5")
    assert found.ip_address


async def test_where_no_command_runs_the_usual_ports_are_probed(inventory: InstantInventory) -> None:
    inventory.parts.access.outputs = {"": "no listing"}
    inventory.ports.open_ports = {8080: 200, 22: None}
    found = await inspect(inventory, inventory.stranger)
    assert [one.port for one in found.ports] == [8080]
    assert found.web_port == 8080


async def test_a_container_that_is_stopped_or_gone_is_refused(inventory: InstantInventory) -> None:
    with pytest.raises(ContainerStoppedError, match="103 does not run"):
        await inspect(inventory, ContainerRef(inventory.host.id, 103, "pve1"))
    with pytest.raises(ContainerNotFoundError):
        await inspect(inventory, ContainerRef(inventory.host.id, 9999))
