"""A local stack to load: as it ships, with the floor beside each service and without a rate limit."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

from deploy.local import specs
from deploy.local.process import Spec, Supervised
from deploy.local.settings import LocalSettings
from deploy.local.stack import Stack
from deploy.local.state import choose_ports
from gateway.config import Endpoint, render_bootstrap
from tests.bench.floor import BARE, OWNERS, extend_surface

UNLIMITED = {f"OPERATIONS_PER_{each}": "0" for each in ("NODE", "STORAGE", "USER")} | {
    f"{each}_PER_{whom}": "100000"
    for each, whom in (("STREAMS", "USER"), ("CALLS", "USER"), ("CALLS", "ADDRESS"))
}


class BenchStack(Stack):
    """The stack, with what the bench adds."""

    def __init__(
        self, settings: LocalSettings, *, extra: Mapping[str, str], task_seconds: float, workers: int = 1
    ) -> None:
        super().__init__(settings, report=_say, workers=workers)
        self._extra = extra
        self._task_seconds = task_seconds

    def _launch(self, spec: Spec) -> Supervised:
        owners = set(OWNERS) - {BARE}
        if spec.name == "gateway":
            self._launch_bare(spec)
            self._rewrite_gateway()
        elif spec.name in owners:
            floor = (sys.executable, "-m", "tests.bench.serving", spec.name)
            spec = dataclasses.replace(spec, arguments=floor)
        elif spec.name == "pvesim":
            arguments = (*spec.arguments, "--task-seconds", str(self._task_seconds))
            spec = dataclasses.replace(spec, arguments=arguments)
        if spec.name not in {"gateway", "nats", "pvesim"}:
            spec = dataclasses.replace(spec, environment={**spec.environment, **self._extra})
        return super()._launch(spec)

    def _launch_bare(self, spec: Spec) -> None:
        listen = f"127.0.0.1:{self._bare_port()}"
        environment = {**spec.environment, "PYTHONPATH": str(specs.ROOT), "LISTEN": listen}
        super()._launch(
            Spec(BARE, (sys.executable, "-m", "tests.bench.serving", BARE), environment),
        )

    def _bare_port(self) -> int:
        return choose_ports(self.settings.state, [BARE])[BARE]

    def _rewrite_gateway(self) -> None:
        """Render the gateway once more, with the floors and without a limit per address."""
        settings = specs.make_gateway_settings(self.settings)
        endpoints = {**settings.endpoints, BARE: (Endpoint("127.0.0.1", self._bare_port()),)}
        settings = dataclasses.replace(settings, endpoints=endpoints, requests_per_second=0)
        bootstrap = render_bootstrap(settings, extend_surface())
        (self.settings.state / "envoy.json").write_text(json.dumps(bootstrap), encoding="utf-8")

    def list_processes(self) -> dict[str, psutil.Process]:
        """Every process by name."""
        pids = {each.spec.name: each.pid for each in self.processes} | {
            "zygote": self.zygote and self.zygote.pid
        }
        return {name: psutil.Process(pid) for name, pid in pids.items() if pid}


def _say(sentence: str) -> None:
    print(f"  {sentence}", flush=True)


def measure_cpu(processes: Mapping[str, psutil.Process]) -> dict[str, float]:
    """Seconds of CPU that each process and its children have used."""
    return {name: sum(map(_cpu_of, each)) for name, each in _list_families(processes)}


def measure_memory(processes: Mapping[str, psutil.Process]) -> dict[str, float]:
    """MiB of memory of each process and its children; shared pages count by share."""
    return {
        name: sum(_pss_of(each.pid) for each in family) / 1024 for name, family in _list_families(processes)
    }


def _list_families(processes: Mapping[str, psutil.Process]) -> Iterator[tuple[str, list[psutil.Process]]]:
    """Each process with those of its children that have no name of their own."""
    named = set(processes.values())
    for name, process in processes.items():
        try:
            yield name, [process, *(each for each in process.children(recursive=True) if each not in named)]
        except psutil.NoSuchProcess:
            yield name, []


def _cpu_of(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def _pss_of(pid: int) -> float:
    """KiB."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return float(next(line.split()[1] for line in lines if line.startswith("Pss:")))
