"""The Docker daemon: pulls, starts, stops."""

import asyncio
import hashlib
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.pvesim.guest.docker.images import MISSING, UNKNOWN, find_image, parse_reference
from tests.pvesim.guest.docker.state import Container, DockerError
from tests.pvesim.guest.listeners import Listener
from tests.pvesim.guest.world import World

if TYPE_CHECKING:
    from tests.pvesim.guest.guest import Guest

NO_DAEMON = (
    "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"
)
RATE_LIMIT = "toomanyrequests: You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit"
RUNC_SYSCTL = (
    "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: "
    "unable to start container process: error during container init: open sysctl net.ipv4.ip_unprivileged_port_start "
    "file: reopen fd 8: permission denied: unknown"
)
RESTARTING = ("always", "unless-stopped")
FAILED_START = 125
Report = Callable[[str], None]


class Engine:
    """The daemon of one guest."""

    def __init__(self, guest: "Guest", world: World) -> None:
        self.guest = guest
        self.world = world
        self.state = guest.docker

    def check_daemon(self) -> None:
        """Raises DockerError when the daemon does not answer."""
        if not self.guest.is_service_up("docker", now=self.world.clock()):
            raise DockerError(NO_DAEMON)

    async def pull(self, text: str, report: Report) -> None:
        """Fetch an image, telling the progress line by line.

        Raises:
            DockerError: the registry refuses, the disk is full, the reference is bad.
        """
        try:
            reference = parse_reference(text)
        except ValueError as error:
            raise DockerError(str(error)) from error
        await self._check_pull(text)
        layers = [hashlib.sha256(f"{text}{i}".encode()).hexdigest()[:12] for i in range(3)]
        for layer in layers:
            report(f"{layer}: Pulling fs layer")
        for layer in layers:
            await asyncio.sleep(self.world.duration("docker_pull") / len(layers))
            report(f"{layer}: Pull complete")
        digest = _make_id(reference.full())
        self.state.images[self.canonical(text)] = digest
        report(f"Digest: {digest}")

    async def _check_pull(self, text: str) -> None:
        place = self.guest.place.key
        if self.world.take_fault("pull_not_found", place, subject=text) or MISSING.search(text):
            raise DockerError(self._word_missing(text))
        if self.world.take_fault("pull_rate_limited", place, subject=text):
            raise DockerError(f"Error response from daemon: {RATE_LIMIT}")
        if self.world.take_fault("pull_unreachable", place, subject=text):
            host = "https://registry-1.docker.io/v2/"
            raise DockerError(
                f'Error response from daemon: Get "{host}": dial tcp: lookup registry-1.docker.io: i/o timeout'
            )
        if self.world.take_fault("no_space", place, subject=text):
            raise DockerError(
                "failed to register layer: write /usr/lib/x86_64-linux-gnu/libc.so.6: no space left on device"
            )
        if hang := self.world.take_fault("pull_hang", place, subject=text):
            await asyncio.sleep(hang.seconds)

    def _word_missing(self, text: str) -> str:
        reference = parse_reference(text)
        if "no-such-tag" in reference.tag:
            prefix = "library/" if "/" not in reference.repository else ""
            registry = "" if reference.registry != "docker.io" else "docker.io/"
            return (
                "Error response from daemon: failed to resolve reference "
                f'"{registry}{prefix}{reference.full()}": {registry}{prefix}{reference.full()}: not found'
            )
        return (
            f"Error response from daemon: pull access denied for {reference.repository}, repository does not exist or may "
            "require 'docker login': denied: requested access to the resource is denied"
        )

    @staticmethod
    def canonical(text: str) -> str:
        """`repository:tag` as `docker images` shows it."""
        reference = parse_reference(text)
        host = "" if reference.registry == "docker.io" else f"{reference.registry}/"
        return f"{host}{reference.full()}"

    def find_image_id(self, text: str) -> str:
        """The id of an image; also of one that was removed, as the containers made of it remember."""
        return self.state.images.get(self.canonical(text)) or _make_id(parse_reference(text).full())

    def has_image(self, text: str) -> bool:
        return self.canonical(text) in self.state.images

    def add(self, container: Container) -> None:
        """Create a container: its id, its volumes' directories."""
        if container.name in self.state.containers:
            raise DockerError(
                f'Error response from daemon: Conflict. The container name "/{container.name}" is already in use'
            )
        seed = f"{container.name}{self.world.clock()}"
        container.id = hashlib.sha256(seed.encode()).hexdigest()
        for mount in container.mounts:
            if mount.kind == "volume":
                self.state.volumes[mount.name] = mount.source
            if not self.guest.fs.exists(mount.source):
                self.guest.fs.make_dir(mount.source, parents=True)
        self.guest.fs.make_dir(container.layer(), parents=True)
        self.state.containers[container.name] = container

    async def start(self, container: Container) -> None:
        """Start a container.

        Raises:
            DockerError: a port is taken, a device is missing, or the kernel forbids what runc wants.
        """
        if container.is_up():
            return
        self._check_ports(container)
        self._check_devices(container)
        if self.world.take_fault("runc_sysctl", self.guest.place.key, subject=container.image):
            container.state, container.exit_code = "created", FAILED_START
            raise DockerError(f"Error response from daemon: {RUNC_SYSCTL}")
        await self.world.spend("container_start")
        self.launch(container)

    def launch(self, container: Container) -> None:
        """What happens once a container's process runs."""
        container.started_at = self.world.clock()
        container.ready_at = container.started_at + self.world.duration("app_start")
        container.stopped_by_hand = False
        image = find_image(container.image)
        place = self.guest.place.key
        crashes = self.world.take_fault("app_crash", place, subject=container.image) is not None
        container.silent = self.world.take_fault("app_silent", place, subject=container.image) is not None
        if image and image.needs and not any(container.environment.get(name) for name in image.needs):
            container.say(image.complaint, at=container.started_at)
            crashes = True
        if crashes:
            container.say("exited with an error", at=container.started_at)
            container.state = "restarting" if container.restart != "no" else "exited"
            container.exit_code = 1
        elif image and not (image.http or image.tcp or image.udp) and not container.command:
            container.state, container.exit_code = "exited", 0
        else:
            container.state, container.exit_code = "running", 0
            container.say("started", at=container.started_at)

    def _check_devices(self, container: Container) -> None:
        """A device is one that Proxmox gave the guest, or the folder of one."""
        given = self.guest.place.devices
        for device in container.devices:
            if not any(one == device or one.startswith(f"{device.rstrip('/')}/") for one in given):
                container.state, container.exit_code = "created", FAILED_START
                raise DockerError(
                    "Error response from daemon: error gathering device information while adding custom device "
                    f'"{device}": no such file or directory'
                )

    def _check_ports(self, container: Container) -> None:
        taken = {one.key() for one in self.guest.listening() if one.container != container.name}
        for port in container.ports:
            if (port.published, port.proto) in taken:
                raise DockerError(
                    "Error response from daemon: failed to set up container networking: driver failed programming external "
                    f"connectivity on endpoint {container.name} ({container.id}): "
                    f"Bind for {port.ip}:{port.published} failed: port is already allocated",
                )

    async def stop(self, container: Container, *, by_hand: bool = True) -> None:
        """Stop a container."""
        if container.state in ("running", "restarting"):
            await self.world.spend("container_stop")
            container.state, container.exit_code = "exited", 0
        container.stopped_by_hand = by_hand

    def remove(self, container: Container, *, volumes: bool = False) -> None:
        """Forget a container and its own files, and its volumes if asked to."""
        del self.state.containers[container.name]
        if self.guest.fs.exists(container.layer()):
            self.guest.fs.remove(container.layer(), recursive=True)
        for mount in container.mounts if volumes else ():
            if mount.kind == "volume":
                self.remove_volume(mount.name)

    def remove_volume(self, name: str) -> None:
        source = self.state.volumes.pop(name, None)
        if source and self.guest.fs.exists(source):
            self.guest.fs.remove(source, recursive=True)

    def find(self, name: str) -> Container:
        """A container by its name or the beginning of its id.

        Raises:
            DockerError: there is none.
        """
        for container in self.state.containers.values():
            if container.name == name.removeprefix("/") or (
                len(name) > 3 and container.id.startswith(name)
            ):  # a usable prefix
                return container
        raise DockerError(f"Error response from daemon: No such container: {name}")

    def resume_all(self) -> None:
        """What the daemon does when it starts: restart policies."""
        for container in self.state.containers.values():
            if container.restart == "always" or (
                container.restart == "unless-stopped" and not container.stopped_by_hand
            ):
                self.launch(container)


def _make_id(reference: str) -> str:
    return f"sha256:{hashlib.sha256(reference.encode()).hexdigest()}"


def halt_all(guest: "Guest") -> None:
    """What a power-off does to containers."""
    for container in guest.docker.containers.values():
        if container.state in ("running", "restarting"):
            container.state, container.exit_code = "exited", 137


def list_container_ports(container: Container) -> list[Listener]:
    """What a running container opens in its guest."""
    if not container.is_up():
        return []
    known = find_image(container.image)
    image = known or UNKNOWN
    if container.network_mode == "host":
        pairs = [(p, "tcp", "0.0.0.0", p) for p in (*image.http_ports(container.environment), *image.tcp)]
        pairs += [(p, "udp", "0.0.0.0", p) for p in image.udp]
    else:
        pairs = [(p.target, p.proto, p.ip, p.published) for p in container.ports]
    return [
        Listener(
            published,
            proto,
            ip,
            _behaviour(container, target, proto),
            service=container.service,
            image=container.image,
            container=container.name,
            program="docker-proxy",
            ready_at=container.ready_at,
        )
        for target, proto, ip, published in pairs
    ]


def _behaviour(container: Container, target: int, proto: str) -> str:
    if container.silent:
        return "closed"
    image = find_image(container.image)
    if proto == "udp":
        return "udp"
    kind = image.kind_of(target, proto, container.environment) if image else "http"
    return "http" if kind == "closed" and _is_configured(container, target) else kind


def _is_configured(container: Container, target: int) -> bool:
    """Whether the port may well have been set by command, configuration file or variable."""
    if (
        any(mount.target.startswith(("/etc/", "/usr/local/etc")) for mount in container.mounts)
        or container.command
    ):
        return True
    pattern = re.compile(rf"(^|\D){target}(\D|$)")
    return any("PORT" in n.upper() and pattern.search(v) for n, v in container.environment.items())
