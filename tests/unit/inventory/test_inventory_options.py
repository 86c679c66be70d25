"""No text that goes to Proxmox begins another line or option of a configuration."""

from typing import Any

import pytest

from services.common.core.errors import InvalidError
from services.inventory.domain.access import Access
from services.inventory.domain.container_spec import ContainerSpec
from services.inventory.proxmox.client import ProxmoxClient
from services.inventory.proxmox.creation_options import merge_environment, render_network
from services.inventory.proxmox.options import check_texts

CONTROLS = [chr(code) for code in (0, 9, 10, 13, 27, 127)]


@pytest.mark.parametrize("odd", CONTROLS)
@pytest.mark.parametrize("name", ["hostname", "entrypoint", "tags", "net0", "nameserver", "notes-template"])
async def test_every_request_is_checked(name: str, odd: str) -> None:
    client = ProxmoxClient(Access(1, "pve", "192.0.2.1", 8006, "root@pam", token_id="root@pam!t"), threads=1)
    with pytest.raises(InvalidError) as refused:
        await client.put("/nodes/pve/lxc/100/config", **{name: f"a{odd}lxc.apparmor.profile: unconfined"})
    assert [one.field for one in refused.value.violations] == [name]
    client.close()


@pytest.mark.parametrize(
    "options",
    [{"env": "A=1\0B=2"}, {"description": "proximity-app: a\nmine\t\x1b"}, {"memory": 512, "delete": "tags"}],
)
def test_what_proxmox_itself_puts_there_is_left(options: dict[str, Any]) -> None:
    check_texts(options)


@pytest.mark.parametrize("odd", CONTROLS)
def test_an_entry_of_the_environment_is_one_line(odd: str) -> None:
    for environment in ({"A": f"1{odd}B=2"}, {f"A{odd}": "1"}):
        with pytest.raises(InvalidError, match="control character"):
            merge_environment({}, environment)
    assert merge_environment({"env": "A=0\0C=3"}, {"A": "1"}) == "A=1\0C=3"


@pytest.mark.parametrize("odd", [*CONTROLS, ","])
def test_an_address_is_one_part_of_its_option(odd: str) -> None:
    cidr = f"10.0.0.7/24{odd}tag=7"
    with pytest.raises(InvalidError):
        render_network(ContainerSpec(hostname="x", memory_mb=64, cores=1, disk_gb=1, network_cidr=cidr))
