"""A container's configuration: normal form, file text, digest, disks and networks."""

import hashlib
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from tests.pvesim.model.cluster import Cluster
from tests.pvesim.model.entities import Config, Container, Snapshot
from tests.pvesim.model.properties import join_properties, parse_size, split_properties
from tests.pvesim.model.schema import load_methods

CREATE = load_methods()["/nodes/{node}/lxc"]["POST"]
NOT_CONFIG = frozenset(
    [
        "node",
        "vmid",
        "ostemplate",
        "force",
        "restore",
        "unique",
        "start",
        "storage",
        "pool",
        "password",
        "ssh-public-keys",
        "bwlimit",
        "ignore-unpack-errors",
        "ha-managed",
        "digest",
        "delete",
        "revert",
    ]
)
DISK = re.compile(r"rootfs|mp\d+")
NETWORK = re.compile(r"net\d+")
LIVE = re.compile(
    r"hostname|memory|swap|cores|cpulimit|cpuunits|net\d+|mp\d+|nameserver|searchdomain|tags|description|onboot|"
    r"startup|protection|hookscript|lock|unused\d+"
)
"""Options that a running container takes at once; the others wait for a reboot."""


def get_fields(option: str) -> dict[str, Any]:
    """The property string fields of `net0`, `rootfs`, `mp3`..."""
    schema = CREATE.find_property(option)
    return dict(schema["format"]) if schema and isinstance(schema.get("format"), dict) else {}


def is_option(name: str) -> bool:
    """Whether a container's configuration knows such an option."""
    return name not in NOT_CONFIG and CREATE.find_property(name) is not None


def split_option(option: str, text: str) -> dict[str, str]:
    """The properties of a `net0`, `rootfs` or `features` value."""
    return split_properties(text, get_fields(option))


def join_disk(values: dict[str, Any]) -> str:
    """A mount point as Proxmox writes it: volume, path, the rest by name."""
    return join_properties(values, default="volume", first=("mp",))


def normalise(cluster: Cluster, option: str, value: Any) -> Any:
    """One option as Proxmox stores it."""
    if option == "tags":
        return ";".join(sorted({tag.lower() for tag in re.split(r"[,;\s]+", str(value)) if tag}))
    if NETWORK.fullmatch(option):
        return _normalise_network(cluster, option, str(value))
    if option == "cpulimit":
        return str(value)
    if option == "description":
        return str(value).rstrip("\n")
    return value


def _normalise_network(cluster: Cluster, option: str, text: str) -> str:
    values: dict[str, Any] = split_option(option, text)
    values["hwaddr"] = values["hwaddr"].upper() if "hwaddr" in values else cluster.make_mac()
    values.setdefault("type", "veth")
    return join_properties(values, first=("name",))


def list_devices(config: Config) -> list[str]:
    """The devices of the node that a container is given."""
    options = sorted(key for key in config if re.fullmatch(r"dev\d+", key))
    return [split_option(option, str(config[option])).get("path", "") for option in options]


def list_disks(config: Config) -> Iterator[tuple[str, dict[str, str]]]:
    """The root and every mount point, with their properties."""
    for option in sorted(key for key in config if DISK.fullmatch(key)):
        yield option, split_option(option, str(config[option]))


def list_networks(config: Config) -> Iterator[tuple[str, dict[str, str]]]:
    """Every network interface, with its properties."""
    for option in sorted(key for key in config if NETWORK.fullmatch(key)):
        yield option, split_option(option, str(config[option]))


def get_disk_size(config: Config, default: int = 4 << 30) -> int:
    """Bytes of the root disk; Proxmox assumes 4 GiB where none is written."""
    text = str(config.get("rootfs", ""))
    return _read_size(text) or default


@lru_cache(maxsize=20_000)
def _read_size(disk: str) -> int:
    found = re.search(r"(?:^|,)size=([^,]+)", disk)
    return parse_size(found[1]) if found else 0


def render_text(config: Config, *, section: str = "") -> str:
    """The lines of a configuration file, its description as leading comments."""
    lines = [f"[{section}]"] if section else []
    lines += [
        f"#{quote(line, safe=' /.,-_()[]!*~')}"
        for line in str(config.get("description", "")).split("\n")
        if "description" in config
    ]
    lines += [f"{key}: {config[key]}" for key in sorted(config) if key != "description"]
    return "".join(f"{line}\n" for line in lines)


def render_file(container: Container) -> str:
    """The whole file /etc/pve/lxc/<vmid>.conf: current, pending and snapshots."""
    text = render_text(container.config)
    if container.pending:
        sets = {key: value for key, value in container.pending.items() if value is not None}
        gone = [key for key, value in container.pending.items() if value is None]
        text += "\n" + render_text(
            {**sets, **({"delete": ",".join(gone)} if gone else {})}, section="pve:pending"
        )
    for snapshot in container.snapshots.values():
        text += "\n" + render_text(render_snapshot(snapshot), section=snapshot.name)
    return text


def parse_text(text: str) -> Config:
    """A configuration file's first section back as options."""
    from urllib.parse import unquote

    config: Config = {}
    notes: list[str] = []
    for line in text.split("\n\n[", maxsplit=1)[0].splitlines():
        if line.startswith("#"):
            notes.append(unquote(line[1:]))
        elif ": " in line:
            key, _, value = line.partition(": ")
            config[key] = convert(key, value)
    if notes:
        config["description"] = "\n".join(notes)
    return config


def convert(option: str, text: str) -> Any:
    """A configuration file's text in the option's own type."""
    schema = CREATE.find_property(option) or {}
    is_number = schema.get("type") in {"integer", "boolean"} or option == "snaptime"
    return int(text) if is_number and re.fullmatch(r"-?\d+", text) else text


def render_snapshot(snapshot: Snapshot) -> Config:
    """A snapshot's configuration with what makes it a snapshot."""
    config = {**snapshot.config, "snaptime": snapshot.time}
    config.pop("description", None)
    if snapshot.description:
        config["description"] = snapshot.description
    if snapshot.parent:
        config["parent"] = snapshot.parent
    return config


def compute_digest(container: Container) -> str:
    """SHA-1 of the configuration file."""
    return hashlib.sha1(render_file(container).encode(), usedforsecurity=False).hexdigest()


def show(config: Config) -> Config:
    """Options as the API returns them: the description ends with a newline."""
    shown = dict(config)
    if "description" in shown:
        shown["description"] = f"{shown['description']}\n"
    return shown


def with_pending(container: Container) -> Config:
    """The configuration as it will be after a reboot."""
    merged = {**container.config, **container.pending}
    return {key: value for key, value in merged.items() if value is not None}


def apply_pending(container: Container) -> None:
    """Make the waiting changes the configuration."""
    container.config = with_pending(container)
    container.pending = {}
