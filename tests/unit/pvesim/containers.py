"""Containers of the simulator."""

from typing import Any

import pytest

from tests.pvesim.instant import InstantProxmox
from tests.pvesim.model.errors import ApiError

DEBIAN = "local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst"


LXC = "/nodes/pve1/lxc"


NET = "name=eth0,bridge=vmbr0,ip=dhcp"


def create(pve: InstantProxmox, vmid: int = 9000, **options: Any) -> str:
    wanted = {"vmid": vmid, "ostemplate": DEBIAN, "rootfs": "local-lvm:4", "net0": NET, **options}
    return pve.run("POST", LXC, **wanted)


def refuse(pve: InstantProxmox, verb: str, path: str, **params: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        pve.request(verb, path, params)
    return caught.value
