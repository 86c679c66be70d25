"""One container's inside."""

import asyncio
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tests.pvesim.guest.docker.engine import Engine, halt_all, list_container_ports
from tests.pvesim.guest.docker.images import UNKNOWN, find_image
from tests.pvesim.guest.docker.state import DockerState
from tests.pvesim.guest.filesystem import FileSystem, Generated
from tests.pvesim.guest.flavours import Flavour, get_flavour, recognise_template
from tests.pvesim.guest.http import Request, Response
from tests.pvesim.guest.listeners import Listener, render_proc_net
from tests.pvesim.guest.listening import describe_app, list_image_ports, list_service_ports
from tests.pvesim.guest.machine import NOT_KNOWN, PATH, Machine, Process
from tests.pvesim.guest.place import Entrypoint, Place, Service
from tests.pvesim.guest.proc import make_generated
from tests.pvesim.guest.software import DEBIAN, SERVICES
from tests.pvesim.guest.streams import BytesSink, BytesSource, Sink, Source
from tests.pvesim.guest.tty import Tty
from tests.pvesim.guest.world import Completed, World


class Guest(Machine):
    """One container's inside: files, packages, services, Docker. Plain data; copyable."""

    def __init__(self, flavour: Flavour, *, hostname: str) -> None:
        fs = FileSystem(flavour.files, generated=self._generated())
        super().__init__(fs, hostname=hostname, packages=set(flavour.packages))
        self.flavour = flavour.name
        self.release = flavour.release
        self.services = {name: Service(enabled=True) for name in flavour.services}
        self.docker = DockerState()
        self.entrypoint: Entrypoint | None = None
        self.password = ""
        self.running = False
        self.package_index: list[str] = []
        self.journal: list[str] = []
        self.place = Place()
        self.set_hostname(hostname)

    def _generated(self) -> Mapping[str, Generated]:
        return make_generated(
            self,
            tcp=lambda: render_proc_net(self.listening(), "tcp"),
            udp=lambda: render_proc_net(self.listening(), "udp"),
        )

    @classmethod
    def from_template(cls, template: str, *, hostname: str) -> "Guest":
        """A fresh container of a template (`local:vztmpl/debian-12-standard_….tar.zst`, `alpine-3.22-…`)."""
        return cls(recognise_template(template), hostname=hostname)

    @classmethod
    def from_image(
        cls, reference: str, *, hostname: str, env: Mapping[str, str], entrypoint: str | None
    ) -> "Guest":
        """A fresh container of an OCI image (`nginx:1.27`, or the archive's name `nginx_1.27`)."""
        guest = cls(get_flavour("oci", ""), hostname=hostname)
        guest.entrypoint = Entrypoint(reference, dict(env), entrypoint)
        image = find_image(reference) or UNKNOWN
        for path in image.volumes:
            guest.fs.make_dir(path, parents=True)
        return guest

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Guest":
        """A guest as `to_dict` stored it."""
        guest = cls(get_flavour(data["flavour"], data["release"]), hostname=data["hostname"])
        guest.fs.load(data["files"])
        guest.packages = set(data["packages"])
        guest.services = {name: Service(**fields) for name, fields in data["services"].items()}
        guest.docker = DockerState.from_dict(data["docker"])
        guest.entrypoint = Entrypoint(**data["entrypoint"]) if data["entrypoint"] else None
        guest.password, guest.running = data["password"], data["running"]
        guest.package_index = list(data["package_index"])
        return guest

    def to_dict(self) -> dict[str, Any]:
        """Everything but its place, as JSON values."""
        return {
            "flavour": self.flavour,
            "release": self.release,
            "hostname": self.hostname,
            "files": self.fs.to_dict(),
            "packages": sorted(self.packages),
            "services": {name: asdict(service) for name, service in self.services.items()},
            "docker": self.docker.to_dict(),
            "entrypoint": asdict(self.entrypoint) if self.entrypoint else None,
            "password": self.password,
            "running": self.running,
            "package_index": list(self.package_index),
        }

    def copy(self) -> "Guest":
        """An independent guest with the same contents (a snapshot, backup or clone). Its place is empty."""
        twin = Guest(get_flavour(self.flavour, self.release), hostname=self.hostname)
        twin.fs.entries = dict(self.fs.entries)
        twin.fs.capacity = self.fs.capacity
        twin.packages = set(self.packages)
        twin.services = {name: Service(**asdict(service)) for name, service in self.services.items()}
        twin.docker = DockerState.from_dict(self.docker.to_dict())
        twin.entrypoint = Entrypoint(**asdict(self.entrypoint)) if self.entrypoint else None
        twin.password, twin.running, twin.package_index = (
            self.password,
            self.running,
            list(self.package_index),
        )
        return twin

    def set_hostname(self, hostname: str) -> None:
        """What the host does with the configured name at each start."""
        self.hostname = hostname
        self.fs.write("/etc/hostname", f"{hostname}\n".encode())
        self.fs.write("/etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {hostname}\n".encode())

    def boot(self, *, world: World | None = None) -> None:
        """Start: enabled services run, and so do containers whose restart policy says so."""
        world = world or World()
        self.running = True
        if self.entrypoint:
            self.entrypoint.started_at = world.clock()
            self.entrypoint.silent = (
                world.take_fault("app_silent", self.place.key, subject=self.entrypoint.image) is not None
            )
        for name, service in self.services.items():
            service.running = False
            if service.enabled:
                self.start_service(name, world)

    def shutdown(self) -> None:
        """Stop: nothing runs and nothing listens; what is on disk stays."""
        self.running = False
        self.stop_jobs()
        halt_all(self)
        for service in self.services.values():
            service.running = False

    def add_service(self, name: str) -> None:
        """Install and enable a system service (for containers that exist before the platform does)."""
        package = next((p for p, names in DEBIAN.items() if name in names), name)
        self.packages.add(package)
        self.services[name] = Service(enabled=True, running=self.running)

    def start_service(self, name: str, world: World) -> bool:
        """Start a service; False when it fails. Docker's containers come with it."""
        service = self.services[name]
        if service.running:
            return True
        if name == "docker" and not self._can_run_docker(world):
            return False
        service.running = True
        service.ready_at = world.clock() + (world.duration("docker_daemon") if name == "docker" else 0.0)
        if name == "docker":
            Engine(self, world).resume_all()
        return True

    def _can_run_docker(self, world: World) -> bool:
        failing = world.take_fault("daemon_fails", self.place.key) is not None
        if self.place.nesting and not failing:
            return True
        self.journal += [
            "dockerd[312]: failed to start daemon: Error initializing network controller: permission denied",
            "systemd[1]: docker.service: Main process exited, code=exited, status=1/FAILURE",
            "systemd[1]: Failed to start docker.service - Docker Application Container Engine.",
        ]
        return False

    def stop_service(self, name: str) -> None:
        """Stop a service; Docker's containers go with it."""
        self.services[name].running = False
        if name == "docker":
            halt_all(self)

    def is_service_up(self, name: str, *, now: float) -> bool:
        """Whether a service runs and answers."""
        service = self.services.get(name)
        return service is not None and service.running and now >= service.ready_at

    def list_programs(self) -> list[str]:
        """What `ps` shows."""
        if self.entrypoint:
            return [self.entrypoint.command or f"/entrypoint {self.entrypoint.image}"]
        names = [
            SERVICES[name].program for name, one in self.services.items() if one.running and name in SERVICES
        ]
        return ["/sbin/init", *names, *(c.image for c in self.docker.containers.values() if c.is_up())]

    def listening(self) -> list[Listener]:
        """Every open port; none when the guest is not running."""
        if not self.running:
            return []
        found = list_service_ports(self) + list_image_ports(self)
        for container in self.docker.containers.values():
            found += list_container_ports(container)
        return found

    @property
    def entrypoint_failed(self) -> bool:
        """Whether the image's program ends at once, for want of a variable: the container then stops."""
        entry = self.entrypoint
        image = find_image(entry.image) if entry else None
        return bool(entry and image and image.needs and not any(entry.env.get(name) for name in image.needs))

    def respond(self, key: tuple[int, str], request: Request, *, now: float) -> Response | None:
        """What a port answers to an HTTP request; None: it resets the connection."""
        listener = next((one for one in self.listening() if one.key() == key), None)
        if listener is None or listener.kind_at(now) != "http":
            return None
        return describe_app(self, listener).answer(request, self.fs)

    def login_env(self) -> dict[str, str]:
        """What `pct exec` gives a command."""
        own = self.entrypoint.env if self.entrypoint else {}
        return {"PATH": PATH, "HOME": "/root", "TERM": "linux", "container": "lxc", **own}

    async def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        world: World,
        raw: str | None = None,
    ) -> Completed:
        """Run a program with these words, no shell between, as `pct exec` does.

        `raw` is the text it came as, for the record. Never raises for what the command does.
        """
        stdout, stderr = BytesSink(), BytesSink()
        source = BytesSource(stdin)
        code = await self.stream(argv, stdin=source, stdout=stdout, stderr=stderr, world=world, raw=raw)
        return Completed(code, stdout.value(), stderr.value())

    async def stream(
        self,
        argv: Sequence[str],
        *,
        stdin: Source,
        stdout: Sink,
        stderr: Sink,
        world: World,
        raw: str | None = None,
        terminal: Tty | None = None,
    ) -> int:
        """Like `run`, with streams; returns the exit code."""
        world.record(self.place.key, argv, raw=shlex.join(argv) if raw is None else raw)
        process = Process(
            self,
            world,
            list(argv),
            self.login_env(),
            "/root" if self.fs.is_dir("/root") else "/",
            stdin,
            stdout,
            stderr,
            terminal=terminal,
        )
        struck = await self._strike(process)
        if struck is not None:
            return struck
        code = await self.spawn(process)
        if code is None:
            place = f"lxc-attach: {self.place.vmid or self.place.key}: ../src/lxc/attach.c: lxc_attach_run_command: 1841"
            code = process.complain(
                f'{place} No such file or directory - Failed to exec "{argv[0]}"', NOT_KNOWN
            )
        await world.settle_guest(self)
        return code

    def record_typed(self, world: World, script: str) -> None:
        """See `Machine.record_typed`."""
        world.record(self.place.key, ("console",), raw=script)

    async def settle(self, world: World) -> None:
        """See `Machine.settle`."""
        await world.settle_guest(self)

    async def spawn(self, process: Process) -> int | None:
        """Run a process; what comes by the console is recorded and struck here, as `pct exec` is in `stream`."""
        if process.terminal is not None and process.argv[:2] == ["sh", "-c"]:
            process.world.record(self.place.key, process.argv, raw=" ".join(process.argv[2:]))
            struck = await self._strike(process)
            if struck is not None:
                return struck
        return await super().spawn(process)

    async def _strike(self, process: Process) -> int | None:
        """Let a fault of the world hang or fail a command; its exit code when it failed."""
        world, line = process.world, " ".join(process.argv)
        if fault := world.take_fault("command_hang", self.place.key, subject=line):
            await asyncio.sleep(fault.seconds)
        if fault := world.take_fault("command_fail", self.place.key, subject=line):
            return process.complain(fault.text or f"{process.argv[0]}: failed", fault.exit_code)
        return None
