"""Devices of a node that a container gets, and what keeps it from getting them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

PASSTHROUGH_SINCE = (8, 2)
"""The release of Proxmox VE from which on containers have options dev0, dev1 and so on."""
_PASSED = re.compile(r"/dev/(?:net/tun|fuse|dri(?:/(?:card|renderD)[0-9]{1,3})?)")
_GRAPHICS_FOLDER, _FIRST_RENDERER = "/dev/dri", "/dev/dri/renderD128"


def is_passed(device: str) -> bool:
    """Say whether a container may be given a device: those of tunnels, FUSE and graphics cards."""
    return _PASSED.fullmatch(device) is not None


def render_devices(devices: Iterable[str]) -> dict[str, str]:
    """Return the options of Proxmox for devices; of the folder of graphics cards the first renderer.

    Every user of the container may use them: its own users are those of its apps.
    """
    files = dict.fromkeys(_FIRST_RENDERER if one.rstrip("/") == _GRAPHICS_FOLDER else one for one in devices)
    return {f"dev{number}": f"{one},mode=0666" for number, one in enumerate(files)}


def describe_device_obstacle(
    devices: Collection[str], *, host: str, version: tuple[int, ...], is_full_root: bool
) -> str:
    """Say why containers of a host get none of these devices, and the remedy; empty when they do."""
    if not devices:
        return ""
    names = ", ".join(sorted(devices))
    if unknown := sorted(one for one in devices if not is_passed(one)):
        return f"{unknown[0]} is no device that containers are given"
    if version < PASSTHROUGH_SINCE:
        return f"{names}: passing devices to containers needs Proxmox VE 8.2 or newer, which host {host} does not run"
    if not is_full_root:
        return (
            f"{names}: only root@pam with its password may pass devices to containers, not an API token or another user; "
            f"register host {host} with root@pam and its password, or choose another host"
        )
    return ""
