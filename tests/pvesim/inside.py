"""The guests of `tests.pvesim.guest` as the model wants them."""

from collections.abc import Mapping
from typing import Any

from tests.pvesim.guest import Guest, Place, World
from tests.pvesim.model.cluster import Cluster
from tests.pvesim.model.configs import list_devices, split_option
from tests.pvesim.model.entities import Container
from tests.pvesim.model.reading import get_address
from tests.pvesim.model.unpack import split_env


class Inside:
    """One guest and the world it runs in."""

    def __init__(self, guest: Guest, world: World) -> None:
        self.guest = guest
        self._world = world

    def to_dict(self) -> dict[str, Any]:
        return self.guest.to_dict()

    def boot(self) -> None:
        self.guest.boot(world=self._world)

    def shutdown(self) -> None:
        self.guest.shutdown()

    def prepare(self, cluster: Cluster, container: Container) -> None:
        """Take over what the container's configuration says, and where it is."""
        config = container.config
        features = split_option("features", str(config["features"])) if config.get("features") else {}
        self.guest.set_hostname(str(config.get("hostname") or f"CT{container.vmid}"))
        self.guest.place = Place(
            key=str(container.vmid),
            vmid=container.vmid,
            address=get_address(cluster, container),
            nesting=features.get("nesting") == "1",
            keyctl=features.get("keyctl") == "1",
            unprivileged=bool(config.get("unprivileged")),
            cores=int(config.get("cores", 1)),
            memory=int(config.get("memory", 512)),
            devices=tuple(list_devices(config)),
        )
        entry = self.guest.entrypoint
        if entry is not None:
            entry.env = split_env(str(config.get("env", ""))) or entry.env
            entry.command = config.get("entrypoint") or entry.command

    def add_service(self, name: str) -> None:
        self.guest.add_service(name)

    def take_files(self, path: str) -> dict[str, Any]:
        return self.guest.fs.take(path)

    def put_files(self, files: dict[str, Any]) -> None:
        self.guest.fs.put(files)

    def set_access(self, *, password: str | None, keys: str | None) -> None:
        """The root password and SSH keys given at creation."""
        if password:
            self.guest.password = password
        if keys:
            self.guest.fs.make_dir("/root/.ssh", parents=True)
            self.guest.fs.write("/root/.ssh/authorized_keys", keys.encode())


class Insides:
    """Makes real guests, all of one world."""

    def __init__(self, world: World) -> None:
        self.world = world

    def from_template(self, template: str, *, hostname: str) -> Inside:
        return Inside(Guest.from_template(template, hostname=hostname), self.world)

    def from_image(
        self, reference: str, *, hostname: str, env: Mapping[str, str], entrypoint: str | None
    ) -> Inside:
        made = Guest.from_image(reference, hostname=hostname, env=env, entrypoint=entrypoint)
        return Inside(made, self.world)

    def from_dict(self, data: dict[str, Any]) -> Inside:
        return Inside(Guest.from_dict(data), self.world)
