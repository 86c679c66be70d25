"""A template archive becoming a container."""

import re
from typing import Any

from tests.pvesim.model.cluster import Cluster
from tests.pvesim.model.disks import make_disks
from tests.pvesim.model.entities import Config, Container, Volume
from tests.pvesim.model.errors import TaskFailedError

SYSTEMS = [
    "debian",
    "devuan",
    "ubuntu",
    "centos",
    "fedora",
    "opensuse",
    "archlinux",
    "alpine",
    "gentoo",
    "nixos",
]


def unpack_template(
    cluster: Cluster, container: Container, template: Volume, *, options: Config, disks: dict[str, str]
) -> None:
    """Give a container its disks, its configuration and its inside."""
    ostype = options.get("ostype") or detect_system(container.vmid, template)
    made = make_disks(cluster, disks, vmid=container.vmid, node=container.node)
    config: Config = {
        "arch": find_architecture(template),
        "hostname": f"CT{container.vmid}",
        "memory": 512,
        "swap": 512,
        **options,
        "ostype": ostype,
        **made,
    }
    if not config.get("unprivileged"):
        config.pop("unprivileged", None)
    if template.image:
        _apply_image(config, template.image)
    container.config = config
    container.image = template.image
    container.guest = _make_guest(cluster, container, template)
    cluster.mark(container)


def detect_system(vmid: int, template: Volume) -> str:
    """The distribution that a template's name or an image's files tell.

    Raises:
        TaskFailedError: an image's files do not tell it; `ostype` has to be given.
    """
    if template.image:
        found = str(template.image.get("ostype", "alpine"))
        if not found:
            raise TaskFailedError(f"unable to create CT {vmid} - unable to detect OS distribution")
        if found.endswith("?"):
            raise TaskFailedError(f"unable to create CT {vmid} - unable to read version info")
        return found
    name = template.name.removeprefix("vztmpl/")
    return next((one for one in SYSTEMS if name.startswith(one)), "unmanaged")


def find_architecture(template: Volume) -> str:
    """The architecture that a template's name tells, as an official one does."""
    found = re.search(r"_(amd64|arm64|armhf|i386|riscv64)\.tar", template.name)
    return found.group(1) if found else "amd64"


def _apply_image(config: Config, image: dict[str, Any]) -> None:
    """An image's own entry point and environment replace those given."""
    if image.get("entrypoint"):
        config["entrypoint"] = image["entrypoint"]
    if image.get("env"):
        config["env"] = "\0".join(f"{key}={value}" for key, value in image["env"].items())
    config["cmode"] = config.get("cmode", "console")


def split_env(text: str) -> dict[str, str]:
    """The NUL-separated `env` option as names and values."""
    return dict(part.split("=", 1) for part in re.split(r"\0", text) if "=" in part)


def _make_guest(cluster: Cluster, container: Container, template: Volume) -> Any:
    hostname = str(container.config["hostname"])
    if template.image is None:
        return cluster.guests.from_template(template.name.removeprefix("vztmpl/"), hostname=hostname)
    return cluster.guests.from_image(
        str(template.image["reference"]),
        hostname=hostname,
        env=split_env(str(container.config.get("env", ""))),
        entrypoint=container.config.get("entrypoint"),
    )
