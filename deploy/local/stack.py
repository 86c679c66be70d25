"""A local stack: start in order, wait until it is healthy, end in order."""

from __future__ import annotations

import asyncio
import errno
import json
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

from deploy.local.api import open_session
from deploy.local.forking import Zygote
from deploy.local.nats import list_nats_urls, make_nats, make_passwords
from deploy.local.process import Spec, Supervised, read_last_line
from deploy.local.settings import LocalSettings
from deploy.local.sockets import name_socket
from deploy.local.specs import (
    PORTS,
    Secrets,
    list_services,
    list_shared_modules,
    make_environment,
    make_gateway,
    make_migration,
    make_secrets,
    make_simulator,
    name_metrics_ports,
    write_targets,
)
from deploy.local.state import StateLock, choose_ports, write_secret
from deploy.local.watching import watch_logs, watch_nats
from deploy.nats.access import SYSTEM
from services.registry import SERVICES

# Limits of broken starts. The first start of a fresh environment compiles its libraries, also on a small busy machine;
# what ends meanwhile is reported at once.
_SIMULATOR_TIMEOUT_S = 120.0
_NATS_TIMEOUT_S = 60.0
_MIGRATION_TIMEOUT_S = 180.0
_READY_TIMEOUT_S = 180.0
_DAMAGED_S = 15.0  # so long a database may be found unusable before the rest is ready without it
_SETTINGS_STATUS = 2
_STOP_S = 6.5  # services, then NATS and the simulator for _LAST_STOP_S: 10 s in all, with the kills
_LAST_STOP_S = 1.5


class StackError(Exception):
    """The stack cannot run; the message says why and where the log is."""


class Stack:
    """Every process of one state directory.

    Args:
        settings: what was decided.
        report: called with a sentence about each event.
        workers: of each service that has any.
    """

    def __init__(self, settings: LocalSettings, *, report: Callable[[str], None], workers: int = 1) -> None:
        self.settings = settings
        self.logs = settings.state / "logs"
        self.secrets: Secrets | None = None
        self.processes: list[Supervised] = []
        self.zygote: Zygote | None = None
        self._report = report
        self._workers = workers
        self._lock: StateLock | None = None
        self._simulator: asyncio.Future[dict[str, Any]] | None = None
        self._watching: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Start everything and return when the gateway says that it is healthy.

        Raises:
            StackError: another stack has the state directory or the port, or a part did not become ready.
        """
        self._acquire()
        (self.settings.state / "pvesim.json").unlink(missing_ok=True)
        self.secrets = make_secrets(self.settings)
        ports = choose_ports(self.settings.state, [*PORTS, *name_metrics_ports(self.settings)])
        bare = make_environment(self.settings, self.secrets, ports, proxmox={})
        self._watching.append(asyncio.create_task(watch_logs(self.logs), name="watch logs"))
        self.zygote = Zygote(bare, self.logs, modules=list_shared_modules(self.settings))
        await self.zygote.start()
        if not self.settings.nats_url:
            self._watch(self._launch(make_nats(self.settings, ports)), ports["nats"])
        self._launch(make_gateway(self.settings, ports))
        migration = self._migrate(make_migration(bare), self.zygote)
        proxmox, _, _ = await asyncio.gather(
            self._start_simulator(ports), self._wait_for_nats(ports), migration
        )
        environment = make_environment(self.settings, self.secrets, ports, proxmox=proxmox)
        urls = list_nats_urls(self.settings, ports)
        for spec in list_services(environment, ports, nats_urls=urls, workers=self._workers):
            self._launch(spec)
        await self._wait_until_healthy()
        self._describe(ports)

    async def stop(self) -> None:
        """End everything within 10 s: the gateway and the services first, what they need after them."""
        for task in self._watching:
            task.cancel()
        needed = [each for each in self.processes if each.spec.name in {"nats", "pvesim"}]
        first = [each for each in self.processes if each not in needed]
        await asyncio.gather(*(each.stop(timeout=_STOP_S) for each in first))
        await asyncio.gather(*(each.stop(timeout=_LAST_STOP_S) for each in needed))
        if self.zygote is not None:
            await self.zygote.stop()
        if self._lock is not None:
            (self.settings.state / "run.json").unlink(missing_ok=True)
            self._lock.release()
            self._lock = None

    def _acquire(self) -> None:
        try:
            lock = StateLock(self.settings.state)
        except OSError as error:
            state = self.settings.state
            raise StackError(f"PROXIMITY_STATE_DIR: {state} cannot be written: {error.strerror}") from error
        if not lock.acquire():
            lock.release()
            raise StackError(f"another stack runs in {self.settings.state}")
        self._lock = lock
        deadline = time.monotonic() + 3  # the children of a killed runner are just ending
        while obstacle := find_obstacle(self.settings.host, self.settings.port):
            if time.monotonic() > deadline:
                raise StackError(obstacle)
            time.sleep(0.1)

    def _launch(self, spec: Spec) -> Supervised:
        assert self.zygote is not None
        process = Supervised(spec, self.logs, report=self._report, start=self.zygote.spawn)
        self.processes.append(process)
        process.start()
        return process

    def _watch(self, nats: Supervised, port: int) -> None:
        password = make_passwords(self.settings.state / "keys")[SYSTEM]
        store = self.settings.state / "nats"
        watching = watch_nats(port, store, password=password, start_again=nats.start_again)
        self._watching.append(asyncio.create_task(watching, name="watch NATS"))

    async def _start_simulator(self, ports: dict[str, int]) -> dict[str, Any]:
        if not self.settings.is_simulated:
            return {}
        self._simulator = asyncio.get_running_loop().create_future()
        self._launch(make_simulator(self.settings, ports, on_line=self._note_simulator))
        try:
            found = await asyncio.wait_for(self._simulator, _SIMULATOR_TIMEOUT_S)
        except TimeoutError as error:
            raise StackError(f"the simulated Proxmox did not start: see {self.logs}/pvesim.log") from error
        return found

    def _note_simulator(self, line: str) -> None:
        if not line.startswith('{"url"') or self._simulator is None:
            return
        found = json.loads(line)
        write_secret(self.settings.state / "pvesim.json", json.dumps(found, indent=2))
        if not self._simulator.done():
            self._simulator.set_result(found)

    async def _wait_for_nats(self, ports: dict[str, int]) -> None:
        if self.settings.nats_url:
            # The client of NATS is imported by those alone who need it.
            from deploy.local.reaching import find_nats_fault

            if fault := await find_nats_fault(self.settings.nats_url):
                raise StackError(fault)
            return
        port = ports["nats"]
        deadline = time.monotonic() + _NATS_TIMEOUT_S
        while time.monotonic() < deadline:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            return
        raise StackError(f"NATS does not answer on port {port}: see {self.logs}/nats.log")

    async def _migrate(self, spec: Spec, zygote: Zygote) -> None:
        process = await zygote.spawn(spec, self.logs)
        try:
            code = await asyncio.wait_for(process.wait(), _MIGRATION_TIMEOUT_S)
        except TimeoutError as error:
            process.send_signal(signal.SIGKILL)
            raise StackError(f"{spec.name} took too long: see {self.logs}/{spec.name}.log") from error
        if code == 0:
            return
        last = self._read_last_line(spec.name)
        if code == _SETTINGS_STATUS:
            raise StackError(f"the settings are wrong: {last}")
        raise StackError(f"{spec.name} ended with status {code}: {last}; see {self.logs}/{spec.name}.log")

    async def _wait_until_healthy(self) -> None:
        deadline = time.monotonic() + _READY_TIMEOUT_S
        health: dict[str, Any] = {}
        while time.monotonic() < deadline:
            health = await asyncio.to_thread(
                read_health, self.settings.url, certificate=self.settings.certificate
            )
            if health.get("status") == "healthy":
                return
            if host_fault := find_host_fault(health):
                self._report(host_fault)  # the platform works; an administrator repairs the host by the API
                return
            if time.monotonic() > deadline - _READY_TIMEOUT_S + _DAMAGED_S and list_database_faults(health):
                break
            for process in self.processes:
                if process.last_code == _SETTINGS_STATUS:
                    name = process.spec.name
                    raise StackError(f"the settings of {name} are wrong: {self._read_last_line(name)}")
            await asyncio.sleep(0.2)
        faults = list_database_faults(health)
        if not faults or health.get("status") != "degraded":
            raise StackError(
                f"not healthy after {_READY_TIMEOUT_S:g} s: {json.dumps(health)}; see {self.logs}"
            )
        for fault in faults:  # the other services work; this one reports the same in its health
            self._report(fault)

    def _read_last_line(self, name: str) -> str:
        return read_last_line(self.logs / f"{name}.log") or "it says nothing"

    def _describe(self, ports: dict[str, int]) -> None:
        """Say where things are, for those who look from outside."""
        if self.settings.metrics:
            write_targets(self.settings, ports)
        run = {
            "url": self.settings.url,
            "ports": ports,
            "sockets": {name: str(name_socket(self.settings.state, name)) for name in (*SERVICES, "admin")},
            "pids": {each.spec.name: each.pid for each in self.processes}
            | {"zygote": self.zygote and self.zygote.pid},
        }
        write_secret(self.settings.state / "run.json", json.dumps(run, indent=2))


def find_host_fault(health: dict[str, Any]) -> str:
    """Return what health says of a Proxmox host where all else is well; else an empty text."""
    services: dict[str, str] = health.get("services", {})
    unwell = [words for words in services.values() if words != "connected"]
    parts = [health.get(name) for name in ("database", "cache", "messaging")]
    if len(unwell) != 1 or "Proxmox host" not in unwell[0] or parts != ["connected"] * len(parts):
        return ""
    return unwell[0].removeprefix("error: ")


def list_database_faults(health: dict[str, Any]) -> list[str]:
    """What health says of services whose database cannot be used; empty where another part is not well either."""
    services: dict[str, str] = health.get("services", {})
    unwell = {name: words for name, words in services.items() if words != "connected"}
    if not all("the database" in words for words in unwell.values()):
        return []
    return [
        f"{name}: {words.removeprefix('error: ')}; see docs/runbooks.md" for name, words in unwell.items()
    ]


def read_health(url: str, *, certificate: Path | None = None) -> dict[str, Any]:
    """Ask the gateway how everybody is; what went wrong, under `error`, when it does not answer."""
    try:
        session = open_session(url, certificate=certificate)
        answer: dict[str, Any] = session.get(f"{url}/api/health", timeout=5).json()
    except (requests.RequestException, ValueError) as error:
        return {"status": "unhealthy", "error": str(error)}
    return answer


def find_obstacle(host: str, port: int) -> str:
    """Why nobody can listen there; empty when one can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return f"port {port} is taken; choose another one with PROXIMITY_PORT"
            return f"PROXIMITY_HOST and PROXIMITY_PORT: nobody can listen on {host}:{port}: {error.strerror}"
    return ""
