"""The processes of one run: all real but Proxmox, which is simulated."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import requests

from deploy.local.api import PinnedAdapter
from deploy.local.nats import list_nats_urls, make_nats
from deploy.local.process import Spec, Supervised, spawn
from deploy.local.settings import LocalSettings
from deploy.local.specs import (
    PORTS,
    Secrets,
    list_services,
    make_environment,
    make_gateway,
    make_migration,
    make_secrets,
    make_simulator,
)
from deploy.local.stack import read_health
from deploy.local.state import choose_ports, write_secret
from services.common.core.config import read_settings
from tests.chaos.links import Link
from tests.chaos.looks import LOOKS, ORIGIN
from tests.chaos.postgres import make_folder, make_postgres
from tests.chaos.topology import NODES, TOPOLOGY

PASSWORD = "first-of-many-9"
WORKERS = 2
_LINKS = ("link-nats", "link-postgres", "link-pvesim", "link-pvesim-ssh")
_READY_S = 300.0
_STOP_S = 5.0
_TASK_S = "0.4"


class PlatformError(Exception):
    """A part did not start; the message says which."""


class Platform:
    """Starts everything, and gives the pieces to those who break them.

    Args:
        state: an empty directory for keys, logs and the simulator.
        report: is told when a process ends.
        database: `postgresql`, a server of its own that is struck too, or `sqlite`, the default of a local stack.
        way: `ssh`, with root's password, or `console`, with an API token, which opens no SSH.
        hurried: whether policies run every 20 seconds; see `hurried`.
    """

    port_names: tuple[str, ...] = (*PORTS, "postgres", "http", *_LINKS)
    needed: tuple[str, ...] = ("postgres", "nats", "pvesim")  # end last

    def __init__(
        self,
        state: Path,
        *,
        report: Callable[[str], None],
        database: str = "postgresql",
        way: str = "ssh",
        hurried: bool = False,
    ) -> None:
        self.database = database
        self.way = way
        self.hurried = hurried
        self._origin = time.time()
        self.state = state
        self.logs = state / "logs"
        self.processes: dict[str, Supervised] = {}
        self.links: dict[str, Link] = {}
        self.simulator_url = ""
        self.database_url = ""
        self._report = report
        self._folder = make_folder()
        self._simulator: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._session = requests.Session()
        state.mkdir(parents=True, exist_ok=True)
        self.ports = choose_ports(state, list(self.port_names))
        self.settings = self._make_settings()
        self.secrets: Secrets = make_secrets(self.settings)

    def _make_settings(self) -> LocalSettings:
        ports = self.ports
        chosen = {
            "PROXIMITY_PORT": str(ports["http"]),
            "PROXIMITY_STATE_DIR": str(self.state),
            "PROXIMITY_ADMIN_PASSWORD": PASSWORD,
            "DATABASE_URL": self._name_database("link-postgres"),
            "TESTING_MODE": "true",
        }
        return read_settings(LocalSettings, chosen)

    def _name_database(self, port: str) -> str:
        if self.database == "sqlite":
            return f"sqlite:///{self.state.resolve()}/db/proximity.sqlite3"
        return f"postgresql://postgres@127.0.0.1:{self.ports[port]}/postgres"

    @property
    def url(self) -> str:
        """The gateway."""
        return self.settings.url

    async def start(self) -> None:
        """Start everything and return when the gateway says that it is healthy.

        Raises:
            PlatformError: a part did not start.
        """
        ports = self.ports
        self.database_url = self._name_database("postgres")
        servers = ["nats"]
        if self.database != "sqlite":
            servers.append("postgres")
            self._launch(await asyncio.to_thread(make_postgres, self._folder, ports["postgres"]))
        self._launch(make_nats(self.settings, ports))
        proxmox = await self._start_simulator()
        await self._open_links(list(proxmox["addresses"].values()))
        for name in servers:
            await self._wait_for_port(name)
        beyond = {**proxmox, "port": ports["link-pvesim"], "ssh_port": ports["link-pvesim-ssh"]}
        environment = make_environment(self.settings, self.secrets, ports, proxmox=beyond)
        if self.way == "console":
            environment |= {
                "PROXMOX_PASSWORD": "",
                "PROXMOX_TOKEN_ID": str(proxmox["token_id"]),
                "PROXMOX_TOKEN_SECRET": str(proxmox["token_secret"]),
            }
        await self._migrate(make_migration(environment))
        urls = list_nats_urls(self.settings, {"nats": ports["link-nats"]})
        for spec in list_services(environment, ports, nats_urls=urls, workers=WORKERS):
            self._launch(self._hurry(spec))
        self._launch(make_gateway(self.settings))
        await self.wait_until_healthy()

    async def stop(self) -> None:
        """End everything and remove the database's files."""
        for name in self.processes:
            self.signal(name, signal.SIGCONT)
        first = [each for name, each in self.processes.items() if name not in self.needed]
        await asyncio.gather(*(each.stop(timeout=_STOP_S) for each in first))
        for name in self.needed:
            if name in self.processes:
                await self.processes[name].stop(timeout=_STOP_S)
        for link in self.links.values():
            await link.close()
        self._session.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a process and, to stop or continue it, to those that it started."""
        pid = self.processes[name].pid
        if pid is None:
            return
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            if number in {signal.SIGSTOP, signal.SIGCONT}:
                for child in psutil.Process(pid).children(recursive=True):
                    child.send_signal(number)
            os.kill(pid, number)

    def ask_simulator(self, method: str, path: str, body: Any = None) -> Any:
        """Control the simulated Proxmox; `path` is below `/_sim`.

        Raises:
            requests.RequestException: it does not answer.
        """
        answer = self._session.request(method, f"{self.simulator_url}/_sim{path}", json=body, timeout=20)
        answer.raise_for_status()
        return answer.json()

    async def wait_until_healthy(self) -> None:
        """Wait until the gateway says so.

        Raises:
            PlatformError: it does not.
        """
        deadline, health = time.monotonic() + _READY_S, {}
        while time.monotonic() < deadline:
            health = await asyncio.to_thread(read_health, self.url)
            if health.get("status") == "healthy":
                return
            await asyncio.sleep(0.3)
        raise PlatformError(f"not healthy after {_READY_S:g} s: {json.dumps(health)}; see {self.logs}")

    @property
    def looks(self) -> Path:
        """The file of the looks at policies, of a hurried platform."""
        return self.state / "looks.jsonl"

    def _hurry(self, spec: Spec) -> Spec:
        if not self.hurried or "services.backups" not in spec.arguments:
            return spec
        arguments = tuple(
            "tests.chaos.hurried" if one == "services.backups" else one for one in spec.arguments
        )
        # All day, as a storm may come at any time.
        more = {LOOKS: str(self.looks), ORIGIN: str(self._origin), "RESTORE_TEST_HOURS": "00:00-00:00"}
        return dataclasses.replace(spec, arguments=arguments, environment={**spec.environment, **more})

    def _launch(self, spec: Spec) -> None:
        process = Supervised(spec, self.logs, report=self._report, longest_delay=1.0)
        self.processes[spec.name] = process
        process.start()

    async def _start_simulator(self) -> dict[str, Any]:
        topology = self.state / "topology.json"
        topology.write_text(json.dumps(TOPOLOGY), encoding="utf-8")
        options = ("--topology", str(topology), "--task-seconds", _TASK_S)
        self._launch(make_simulator(self.settings, self.ports, on_line=self._note_simulator, options=options))
        try:
            found = await asyncio.wait_for(self._simulator, _READY_S)
        except TimeoutError as error:
            raise PlatformError(f"the simulated Proxmox did not start: see {self.logs}/pvesim.log") from error
        self.simulator_url = str(found["url"])
        self._session.mount("https://", PinnedAdapter(found["fingerprint"]))
        return found

    def _note_simulator(self, line: str) -> None:
        if line.startswith('{"url"') and not self._simulator.done():
            write_secret(self.state / "pvesim.json", line)
            self._simulator.set_result(json.loads(line))

    async def _open_links(self, addresses: list[str]) -> None:
        ports = self.ports
        for name, part, where in (
            ("nats", "nats", ["127.0.0.1"]),
            ("postgres", "postgres", ["127.0.0.1"]),
            ("proxmox", "pvesim", addresses),
            ("ssh", "pvesim-ssh", addresses),
        ):
            if name == "postgres" and self.database == "sqlite":
                continue
            self.links[name] = Link(name, ports[f"link-{part}"], ports[part], addresses=where)
            await self.links[name].start()

    async def _wait_for_port(self, name: str) -> None:
        deadline = time.monotonic() + _READY_S
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self.ports[name])
                writer.close()
                return
            await asyncio.sleep(0.1)
        raise PlatformError(f"{name} does not answer: see {self.logs}/{name}.log")

    async def _migrate(self, spec: Spec) -> None:
        process = await spawn(spec, self.logs)
        if await asyncio.wait_for(process.wait(), _READY_S) != 0:
            raise PlatformError(f"{spec.name} failed: see {self.logs}/{spec.name}.log")


__all__ = ["NODES", "PASSWORD", "Platform", "PlatformError"]
