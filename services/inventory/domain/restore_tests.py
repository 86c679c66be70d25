"""Restore tests: the owner and the isolation of their containers, and the place where one can run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.inventory.domain.disks import Disk, parse_disks
from services.inventory.domain.errors import NotIsolatedError, RestoreTestUnsupportedError
from services.inventory.domain.links import parse_links, render_options, split_options

TEST_PREFIX = "restore-test:"
"""Begins the owner of a test's container. Ids of apps have no colon."""
# Raw lines that reach the host or its networks. Credentials of root restore them, and no option of a restore clears them.
_HOST_LINES = ("lxc.net", "lxc.mount.entry", "lxc.mount.fstab", "lxc.hook", "lxc.rootfs")


@dataclass(frozen=True, kw_only=True)
class RestoreTestPlace:
    """Place for a restore test; sizes in bytes.

    Attributes:
        bridge: isolated; empty: the network devices are unplugged.
        notes: what the test container does not get.
    """

    node: str
    storage: str
    required: float
    free: float
    bridge: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReservedId:
    """A container id that is reserved for a restore test, and for how many seconds it has been."""

    host_id: int
    vmid: int
    owner: str
    age_s: int


def is_test_owner(owner: str | None) -> bool:
    """Whether an owner is a restore test."""
    return bool(owner) and str(owner).startswith(TEST_PREFIX)


def list_tested_disks(saved: Mapping[str, Any]) -> list[Disk]:
    """Return the disks of an archive that a test restores: those whose data is in it."""
    return [one for one in parse_disks(saved) if one.is_archived]


def list_omitted(saved: Mapping[str, Any]) -> list[str]:
    """Describe what is configured in an archive and not restored by a test."""
    disks = [one.describe() for one in parse_disks(saved) if one.path and not one.is_archived]
    devices = sorted(name for name in saved if _is_device(name))
    hook = ["hookscript"] if "hookscript" in saved else []
    return [*disks, *devices, *hook]


def check_testable(saved: Mapping[str, Any], *, is_full_root: bool) -> None:
    """Refuse an archive whose container would reach the host or its networks, because nothing can prevent it.

    Raises:
        RestoreTestUnsupportedError: naming the options.
    """
    found = list_host_lines(saved) if is_full_root else []
    # An API token can neither set nor clear these.
    found += [] if is_full_root else list_removable(saved)
    if found:
        raise RestoreTestUnsupportedError(
            f"the archive cannot be tested, because a restore brings back {', '.join(found)}, which would reach the node; "
            + (
                "take these lines off the container and make another backup"
                if is_full_root
                else "register the Proxmox host with root's password, or take them off the container and make another backup"
            )
        )


def list_host_lines(saved: Mapping[str, Any]) -> list[str]:
    """List the raw lines that reach the host or its networks, and that only root's password restores."""
    return sorted(name for name in saved if name.startswith(_HOST_LINES))


def list_removable(config: Mapping[str, Any]) -> list[str]:
    """List the options that come back with a restore and are removed before a test container starts."""
    return sorted(name for name in config if _is_device(name) or name == "hookscript")


def render_links(saved: Mapping[str, Any], bridge: str) -> dict[str, str]:
    """Render the network devices of a test container: every one of the archive, named again.

    A device that is not named comes back as it was, with the addresses of the original on its bridge. No hardware address
    is given, so each gets a new one. Without an isolated bridge each is unplugged and has no address; with one it has the
    static addresses of the original and no gateway.
    """
    links = {name: split_options(str(value)) for name, value in saved.items() if _is_link(name)}
    found = {}
    for name, options in links.items():
        link = {"name": options.get("name", name.replace("net", "eth"))}
        if bridge:
            link["bridge"] = bridge
            link |= {key: options[key] for key in ("ip", "ip6") if "/" in options.get(key, "")}
        else:
            link |= {"bridge": options.get("bridge", "vmbr0"), "link_down": "1"}
        found[name] = render_options(link)
    return found


def check_isolated(config: Mapping[str, Any], bridge: str) -> None:
    """Refuse a test container that could reach something outside.

    Raises:
        NotIsolatedError: naming the option.
    """
    for link in parse_links(config):
        if not link.is_down and (not bridge or link.place.bridge != bridge):
            raise NotIsolatedError(
                f"net{link.number} of the test container is on {link.place} and not switched off"
            )
    for disk in parse_disks(config):
        if not disk.is_volume:
            raise NotIsolatedError(f"{disk.describe()} of the test container is a path of the node")
    if left := list_removable(config):
        raise NotIsolatedError(f"the test container has {', '.join(left)}")


def _is_device(name: str) -> bool:
    return name.startswith("dev") and name.removeprefix("dev").isdigit()


def _is_link(name: str) -> bool:
    return name.startswith("net") and name.removeprefix("net").isdigit()
