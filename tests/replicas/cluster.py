"""The processes of a cluster: everything twice or three times but the gateway and the simulated Proxmox."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import signal
import socket
import sys
import time
from collections.abc import Callable, Collection
from pathlib import Path

import nats
import requests
from nats.errors import Error as NatsError

from deploy.local.process import Spec
from deploy.local.settings import LocalSettings
from deploy.local.specs import (
    ROOT,
    list_services,
    make_environment,
    make_migration,
)
from services.common.core.config import read_settings
from services.registry import PROCESSES, SERVICES
from tests.chaos.platform import PASSWORD, Platform, PlatformError
from tests.replicas.release import run_from
from tests.replicas.servers import NATS, Databases, make_nats_cluster

FIRST = PROCESSES
SECOND = tuple(f"{name}-2" for name in FIRST)
STREAM = "JOBS"
_READY_S = 5.0  # minReadySeconds of deploy/kubernetes
_SERVE_S = 300.0  # a limit, not a measure: twenty processes start at once, also on a slow machine
_STOP_S = 20.0
_LOOK_S = 0.1


class Cluster(Platform):
    """Starts everything and lets one part after another be lost or replaced.

    Args:
        state: an empty directory.
        release: the code that the services run at first.
        single: second replicas that are not needed.
        has_standby: whether the database has one.
        report: is told what happens.
    """

    port_names = (
        *("http", "admin", "pvesim", "pvesim-ssh", "postgres", "postgres-standby"),
        *NATS,
        *(f"{name}-{part}" for name in NATS for part in ("routes", "health")),
        *SERVICES,
        *SECOND,
        *(f"health-{name}" for name in (*FIRST, *SECOND)),
    )
    needed = ("postgres", "postgres-standby", *NATS, "pvesim")

    def __init__(
        self,
        state: Path,
        release: Path = ROOT,
        *,
        single: Collection[str] = (),
        has_standby: bool = True,
        report: Callable[[str], None],
    ) -> None:
        self.release = release
        self._replicas = [name for name in (*FIRST, *SECOND) if name not in single]
        self._has_standby = has_standby
        super().__init__(state, report=report)
        self.databases = Databases(self._folder, self.ports["postgres"], self.ports["postgres-standby"])
        self._environment: dict[str, str] = {}

    def _make_settings(self) -> LocalSettings:
        servers = ",".join(f"nats://127.0.0.1:{self.ports[name]}" for name in NATS)
        chosen = {
            "PROXIMITY_PORT": str(self.ports["http"]),
            "PROXIMITY_STATE_DIR": str(self.state),
            "PROXIMITY_ADMIN_PASSWORD": PASSWORD,
            "NATS_URL": servers,
            "TESTING_MODE": "true",
        }
        return read_settings(LocalSettings, chosen)

    async def start(self) -> None:
        """Start everything and return when the gateway says that it is healthy.

        Raises:
            PlatformError: a part did not start.
        """
        for spec in make_nats_cluster(self.state, self.ports):
            self._launch(spec)
        await self._start_databases()
        proxmox = await self._start_simulator()
        self._environment = make_environment(
            dataclasses.replace(self.settings, database_url=self.database_url),
            self.secrets,
            self.ports,
            proxmox=proxmox,
        )
        self._environment |= {"NATS_REPLICAS": "3"} | {
            f"{service.upper()}_ADDRESS": f"ipv4:{self._address(service)},{self._address(f'{service}-2')}"
            for service in SERVICES
        }
        await self.migrate()
        for name in self._replicas:
            self._launch(self._make_replica(name))
        self._launch(self._make_gateway())
        await self.wait_until_healthy()
        await self._wait_for("every replica", lambda: all(map(self._serves, self._replicas)))

    async def migrate(self) -> None:
        """Bring the databases to the schema of the release that new processes get."""
        await self._migrate(run_from(make_migration(self._environment), self.release))

    async def replace(self, name: str, *, kindly: bool) -> None:
        """End a replica, by SIGKILL or asking it, and start one of the release in its place; wait until it is in use."""
        if not kindly:
            self.signal(name, signal.SIGKILL)
        await self.processes[name].stop(timeout=_STOP_S)
        self._launch(self._make_replica(name))
        await self._wait_for(name, lambda: self._serves(name) and self._is_used(name), held_s=_READY_S)

    async def lose(self, name: str) -> None:
        """Kill a process and wait until it was started again."""
        before = self.processes[name].pid
        self.signal(name, signal.SIGKILL)
        await self._wait_for(f"another {name}", lambda: self.processes[name].pid not in {None, before})
        if name in NATS:
            await self._wait_for(name, lambda: self._is_current(name))
            await self.wait_for_copies(STREAM)  # two of three must be there before the next one is lost
        else:
            await self._wait_for(name, lambda: self._serves(name) and self._is_used(name))

    async def lose_database(self) -> float:
        """Kill the primary and let the standby take over; seconds until it had."""
        began = time.monotonic()
        self.signal("postgres", signal.SIGKILL)
        stopping = self.processes.pop("postgres").stop(timeout=_STOP_S)  # it is not started again
        await asyncio.gather(stopping, asyncio.to_thread(self.databases.promote))
        return time.monotonic() - began

    async def count_copies(self, stream: str) -> int:
        """How many NATS servers have all of a stream now; none while they do not answer."""
        try:
            client = await nats.connect(
                self.settings.nats_url.split(","), connect_timeout=5, allow_reconnect=False, error_cb=_ignore
            )
        except (NatsError, TimeoutError, OSError):
            return 0
        try:
            info = await client.jetstream(timeout=5).stream_info(stream)
        except (NatsError, TimeoutError, OSError):
            return 0
        finally:
            await client.close()
        cluster = info.cluster
        if cluster is None or not cluster.leader:
            return 0
        return 1 + sum(bool(peer.current) and not peer.offline for peer in cluster.replicas or [])

    async def wait_for_copies(self, stream: str) -> None:
        """Wait until every NATS server has all of a stream.

        Raises:
            PlatformError: that takes too long.
        """
        deadline, found = time.monotonic() + _SERVE_S, 0
        while time.monotonic() < deadline:
            found = await self.count_copies(stream)
            if found == len(NATS):
                return
            await asyncio.sleep(_LOOK_S)
        raise PlatformError(f"{stream} is on {found} of {len(NATS)} servers after {_SERVE_S:g} s")

    async def _start_databases(self) -> None:
        self.database_url = self.databases.url
        self._launch(await asyncio.to_thread(self.databases.make_primary))
        await self._wait_for_port("postgres")
        if not self._has_standby:
            return
        self._launch(await asyncio.to_thread(self.databases.make_standby))
        await self._wait_for_port("postgres-standby")
        await asyncio.to_thread(self.databases.demand_copies)
        await self._wait_for("a synchronous standby", lambda: self.databases.count_copies() == 1)

    def _address(self, name: str) -> str:
        return f"127.0.0.1:{self.ports[name]}"

    def _make_replica(self, name: str) -> Spec:
        first = name.removesuffix("-2")
        [spec] = [each for each in list_services(self._environment, self.ports) if each.name == first]
        more = {"HEALTH_LISTEN": self._address(f"health-{name}")}
        if first in SERVICES:
            more["LISTEN"] = self._address(name)
        return dataclasses.replace(run_from(spec, self.release, **more), name=name)

    def _make_gateway(self) -> Spec:
        """The gateway of the first release: it knows no RPC that only newer services have."""
        endpoints = [
            f"--endpoint={name.removesuffix('-2')}={self._address(name)}"
            for name in self._replicas
            if name.removesuffix("-2") in SERVICES
        ]
        listening = [f"--listen={self._address('http')}", f"--admin={self._address('admin')}"]
        log = f"--access-log={self.logs / 'access.log'}"
        arguments = (sys.executable, "-m", "gateway", "serve", *listening, log, *endpoints)
        return run_from(Spec("gateway", arguments, self._environment), self.release)

    def _serves(self, name: str) -> bool:
        """Whether a replica has opened its port for probes, which it does when it serves.

        Nothing is asked there: gRPC in this process crashes it when it forks meanwhile.
        """
        try:
            socket.create_connection(("127.0.0.1", self.ports[f"health-{name}"]), timeout=5).close()
        except OSError:
            return False
        return True

    def _is_current(self, name: str) -> bool:
        """Whether a NATS server has all of its streams."""
        try:
            return requests.get(f"http://{self._address(f'{name}-health')}/healthz", timeout=5).ok
        except requests.RequestException:
            return False

    def _is_used(self, name: str) -> bool:
        """Whether the gateway sends requests to a replica; nobody sends any to a worker."""
        url = f"http://{self._address('admin')}/clusters?format=json"
        clusters = requests.get(url, timeout=10).json()["cluster_statuses"]
        hosts = [host for cluster in clusters for host in cluster.get("host_statuses", ())]
        ports = {self.ports[name]} if name in self.ports else set()
        found = [
            host for host in hosts if host["address"].get("socket_address", {}).get("port_value") in ports
        ]
        return not any(host["health_status"].get("failed_outlier_check") for host in found)

    async def _wait_for(self, what: str, holds: Callable[[], bool], *, held_s: float = 0.0) -> None:
        """Wait until something holds, and has for `held_s` seconds."""
        since = time.monotonic()
        deadline = since + _SERVE_S
        while time.monotonic() < deadline:
            if not await asyncio.to_thread(holds):
                since = time.monotonic()
            elif time.monotonic() - since >= held_s:
                return
            await asyncio.sleep(_LOOK_S)
        pids = json.dumps({name: each.pid for name, each in self.processes.items()})
        raise PlatformError(f"waited {_SERVE_S:g} s for {what}: {pids}; see {self.logs}")


async def _ignore(_: Exception) -> None:
    """A server that is away is what we are here for."""
