"""What `docker compose` does with a project."""

import asyncio
import hashlib
import json

from tests.pvesim.guest.docker.compose_file import ComposeService, Project
from tests.pvesim.guest.docker.engine import Engine, Report
from tests.pvesim.guest.docker.state import VOLUMES, Container, DockerError, Mount, Port

WAIT_LIMIT = 120.0


class Composer:
    """One project on one daemon."""

    def __init__(self, engine: Engine, project: Project, report: Report) -> None:
        self.engine = engine
        self.project = project
        self.report = report

    def select(self, names: list[str], profiles: set[str]) -> list[ComposeService]:
        """The services asked for with what they depend on; without names, those of active profiles.

        Raises:
            DockerError: there is no service of that name.
        """
        known = {service.name: service for service in self.project.services}
        for name in names:
            if name not in known:
                raise DockerError(f"no such service: {name}")
        wanted = set(names) or {
            s.name for s in self.project.services if not s.profiles or profiles & set(s.profiles)
        }
        for service in reversed(self.project.services):
            if service.name in wanted:
                wanted.update(service.depends_on)
        return [service for service in self.project.services if service.name in wanted]

    async def pull(self, services: list[ComposeService]) -> None:
        """Fetch the services' images.

        Raises:
            DockerError: the first one that failed.
        """
        for service in services:
            self.report(f" {service.name} Pulling")
            try:
                await self.engine.pull(service.image, lambda line: self.report(f" {line}"))
            except DockerError as error:
                self.report(
                    f" {service.name} Error {str(error).removeprefix('Error response from daemon: ')}"
                )
                raise
            self.report(f" {service.name} Pulled")

    async def up(self, services: list[ComposeService], *, pull: str, recreate: bool, orphans: bool) -> None:
        """Create and start the services; what is up and unchanged stays.

        Raises:
            DockerError: an image, a volume or a port refuses.
        """
        missing = [s for s in services if pull == "always" or not self.engine.has_image(s.image)]
        if missing and pull == "never":
            raise DockerError(f"Error response from daemon: No such image: {missing[0].image}")
        await self.pull(missing)
        if orphans:
            await self._remove_orphans()
        self._create_network()
        self._check_external()
        for service in services:
            await self._up_service(service, recreate=recreate)

    def _create_network(self) -> None:
        network = f"{self.project.name}_default"
        if network not in self.engine.state.networks:
            self.engine.state.networks.append(network)
            self.report(f" Network {network} Created")

    def _check_external(self) -> None:
        for key in self.project.external_volumes:
            name = self.project.volumes[key]
            if name not in self.engine.state.volumes:
                raise DockerError(f'external volume "{name}" not found')

    async def _remove_orphans(self) -> None:
        known = {service.name for service in self.project.services}
        for container in self.engine.state.of_project(self.project.name):
            if container.service not in known:
                await self._remove(container)

    async def _up_service(self, service: ComposeService, *, recreate: bool) -> None:
        name = self._container_name(service)
        old = self.engine.state.containers.get(name)
        wanted = self._make_container(service)
        if old and (recreate or old.config_hash != wanted.config_hash):
            await self._remove(old)
            old = None
        if old is None:
            self.engine.add(wanted)
            self.report(f" Container {name} Created")
        await self.engine.start(old or wanted)
        self.report(f" Container {name} {'Running' if old and old.is_up() else 'Started'}")

    def _container_name(self, service: ComposeService) -> str:
        return service.container_name or f"{self.project.name}-{service.name}-1"

    def _make_container(self, service: ComposeService) -> Container:
        fields = json.dumps([repr(service), service.image], sort_keys=True)
        return Container(
            name=self._container_name(service),
            image=service.image,
            project=self.project.name,
            service=service.name,
            restart=service.restart,
            network_mode=service.network_mode,
            has_health=service.has_health,
            environment=dict(service.environment),
            labels={
                **service.labels,
                "com.docker.compose.project": self.project.name,
                "com.docker.compose.service": service.name,
                "com.docker.compose.project.working_dir": self.project.directory,
                "com.docker.compose.project.config_files": ",".join(self.project.files),
            },
            command=list(service.command),
            ports=[Port(p.target, p.published, p.proto, p.ip) for p in service.ports],
            mounts=self._list_mounts(service),
            devices=[device.partition(":")[0] for device in service.devices],
            config_hash=hashlib.sha256(fields.encode()).hexdigest(),
        )

    def _list_mounts(self, service: ComposeService) -> list[Mount]:
        mounts = []
        for mount in service.mounts:
            anonymous = mount.kind == "volume" and mount.name not in self.project.volumes.values()
            name = (
                hashlib.sha256(f"{self.project.name}{mount.name}".encode()).hexdigest()
                if anonymous
                else mount.name
            )
            source = f"{VOLUMES}/{name}/_data" if mount.kind == "volume" else mount.source
            mounts.append(Mount(source, mount.target, mount.kind, name, mount.read_only))
        return mounts

    async def _remove(self, container: Container) -> None:
        await self.engine.stop(container)
        self.engine.remove(container)
        self.report(f" Container {container.name} Removed")

    async def wait(self, services: list[ComposeService], limit: float) -> None:
        """Wait until the services run (and are healthy, where they say how to tell).

        Raises:
            DockerError: one exited, or is not ready in time.
        """
        clock = self.engine.world.clock
        end = clock() + limit
        for service in services:
            container = self.engine.state.containers[self._container_name(service)]
            while container.health(clock()) == "starting":
                if clock() >= end:
                    raise DockerError(f"container {container.name} is unhealthy")
                await asyncio.sleep(min(0.05, max(0.001, container.ready_at - clock())))
            if not container.is_up():
                raise DockerError(f"container {container.name} exited ({container.exit_code})")

    async def down(self, *, volumes: bool) -> None:
        """Remove the project's containers and network, and its volumes if asked to."""
        for container in self.engine.state.of_project(self.project.name):
            await self._remove(container)
        network = f"{self.project.name}_default"
        if network in self.engine.state.networks:
            self.engine.state.networks.remove(network)
            self.report(f" Network {network} Removed")
        for key, name in self.project.volumes.items() if volumes else ():
            if key not in self.project.external_volumes:
                self.engine.remove_volume(name)
                self.report(f" Volume {name} Removed")
