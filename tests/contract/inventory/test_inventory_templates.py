"""Templates of several architectures and variants on nodes of the simulated Proxmox."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator

import pytest

from services.inventory.domain.errors import TemplateNotFoundError
from services.inventory.proxmox.client import ProxmoxClient
from services.inventory.proxmox.fleet import make_access
from services.inventory.proxmox.templates import get_architecture, get_template
from tests.contract.inventory.conftest import Inventory
from tests.unit.pvesim.sim import Running, start

AMD64 = "debian-13-standard_13.1-2_amd64.tar.zst"
ARM64 = "debian-13-standard_13.2-1_arm64.tar.zst"
HARDENED = "debian-13-standard-hardened-20260801.tar.gz"
TOPOLOGY = {
    "name": "mixed",
    "nodes": [{"name": "pve1"}, {"name": "pi", "machine": "aarch64"}],
    "templates": [ARM64, HARDENED, AMD64],
}


@pytest.fixture(scope="module")
def sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("mixed")
    (folder / "t.json").write_text(json.dumps(TOPOLOGY))
    with start(folder, "--topology", str(folder / "t.json")) as running:
        yield running


@pytest.fixture
async def client(inventory: Inventory) -> AsyncIterator[ProxmoxClient]:
    secrets = await inventory.store.get_secrets(inventory.host.id)
    client = ProxmoxClient(make_access(inventory.host, secrets), threads=2)
    yield client
    client.close()


async def test_each_node_gets_the_template_of_its_architecture(client: ProxmoxClient) -> None:
    assert [await get_architecture(client, node) for node in ("pve1", "pi")] == ["amd64", "arm64"]
    for wanted in ("", "debian-13-standard", "debian-13"):
        assert await get_template(client, "pve1", wanted=wanted) == f"local:vztmpl/{AMD64}"
        assert await get_template(client, "pi", wanted=wanted) == f"local:vztmpl/{ARM64}"


async def test_a_named_template_of_another_architecture_is_refused(client: ProxmoxClient) -> None:
    for wanted in (ARM64, f"local:vztmpl/{ARM64}"):
        with pytest.raises(TemplateNotFoundError, match="is for arm64, and node pve1 is amd64"):
            await get_template(client, "pve1", wanted=wanted)
    assert await get_template(client, "pve1", wanted=HARDENED) == f"local:vztmpl/{HARDENED}"


async def test_a_container_made_of_it_starts(inventory: Inventory) -> None:
    ref = await inventory.create()
    await inventory.start(ref)
    assert inventory.sim.call("GET", f"/nodes/pve1/lxc/{ref.vmid}/config").data["arch"] == "amd64"
