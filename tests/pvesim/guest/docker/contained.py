"""A Docker container as a machine: what `docker exec` sees."""

import posixpath
from typing import TYPE_CHECKING

from tests.pvesim.guest.docker.state import Container
from tests.pvesim.guest.filesystem import FileSystem
from tests.pvesim.guest.machine import PATH, Machine

if TYPE_CHECKING:
    from tests.pvesim.guest.guest import Guest


class MountedFileSystem(FileSystem):
    """A view of the guest's files from inside a container: its layer as root, its mounts in place."""

    def __init__(self, outer: FileSystem, container: Container) -> None:
        super().__init__({})
        self.entries = outer.entries
        self.capacity = outer.capacity
        self._outer = outer
        self._layer = container.layer()
        self._mounts = sorted(
            ((m.target, m.source) for m in container.mounts), key=lambda pair: -len(pair[0])
        )

    def locate(self, path: str, *, follow: bool = True) -> str:
        clean = posixpath.normpath(path)
        if clean.startswith(("/dev/", "/proc/")):
            return clean
        if any(
            clean == root or clean.startswith(f"{root}/")
            for root in (self._layer, *(s for _, s in self._mounts))
        ):
            return self._outer.locate(clean, follow=follow)
        for target, source in self._mounts:
            if clean == target or clean.startswith(f"{target.rstrip('/')}/"):
                return self._outer.locate(source + clean[len(target.rstrip("/")) :], follow=follow)
        return self._outer.locate(self._layer + clean.rstrip("/"), follow=follow)


class Contained(Machine):
    """A running Docker container."""

    def __init__(self, guest: "Guest", container: Container) -> None:
        super().__init__(
            MountedFileSystem(guest.fs, container), hostname=container.id[:12], packages={"busybox"}
        )
        self.container = container

    def login_env(self) -> dict[str, str]:
        return {"PATH": PATH, "HOSTNAME": self.hostname, "HOME": "/root", **self.container.environment}
