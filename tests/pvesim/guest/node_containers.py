"""The containers of a node, as its shell shows them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tests.pvesim.guest.filesystem import Generated
from tests.pvesim.guest.guest import Guest
from tests.pvesim.guest.node_archives import ArchiveShell
from tests.pvesim.guest.world import World


@dataclass(frozen=True, slots=True)
class NodeContainer:
    """A container as `pct` knows it; `config` is the text of its configuration file."""

    vmid: int
    name: str
    status: str
    lock: str = ""
    config: str = ""


class NodeShell(ArchiveShell, Protocol):
    """What a node's shell needs of the model: the containers that are on this node, and the archives that it sees."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str:
        """Of pve-manager: `9.2.11`."""

    @property
    def world(self) -> World: ...
    def list_containers(self) -> Sequence[NodeContainer]: ...
    def find_container(self, vmid: int) -> NodeContainer | None: ...
    def unlock(self, vmid: int) -> None:
        """Remove the lock of a container, whichever process set it."""

    def find_guest(self, vmid: int) -> Guest | None:
        """The container's inside; None when it has none (it is being created)."""


class NodeFiles(Mapping[str, Generated]):
    """The configuration files of the containers, made when read."""

    def __init__(self, shell: NodeShell) -> None:
        self._shell = shell

    def __iter__(self) -> Iterator[str]:
        yield "/dev/null"
        for container in self._shell.list_containers():
            yield f"/etc/pve/lxc/{container.vmid}.conf"

    def __len__(self) -> int:
        return 1 + len(self._shell.list_containers())

    def __contains__(self, path: object) -> bool:
        return path == "/dev/null" or self._find(str(path)) is not None

    def __getitem__(self, path: str) -> Generated:
        if path == "/dev/null":
            return lambda _: b""
        text = self._find(path)
        if text is None:
            raise KeyError(path)
        return lambda size: text.encode() if size < 0 else text.encode()[:size]

    def _find(self, path: str) -> str | None:
        directory, _, name = path.rpartition("/")
        number = name.removesuffix(".conf")
        if (
            directory not in ("/etc/pve/lxc", f"/etc/pve/nodes/{self._shell.name}/lxc")
            or not number.isdigit()
        ):
            return None
        found = self._shell.find_container(int(number)) if name.endswith(".conf") else None
        return found.config if found else None
