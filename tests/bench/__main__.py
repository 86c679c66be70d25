"""`python -m tests.bench run | jobs | fairness | writes | listeners | logins | sync | catalog | compare`."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path

from tests.bench.catalog import measure_catalog
from tests.bench.jobs import measure_fairness, measure_jobs
from tests.bench.listeners import measure_listeners
from tests.bench.logins import measure_logins
from tests.bench.report import compare_results, render_table, write_chart, write_json
from tests.bench.session import Plan, Session
from tests.bench.sync import Size, measure_sync
from tests.bench.writes import measure_writes

BASELINE = Path(__file__).parent / "baseline.json"
RESULTS = Path(".proximity/bench/results.json")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 1 where something fell behind."""
    options = _parse(arguments)
    if options.command == "compare":
        return _compare(options.results, options.baseline)
    if options.command == "jobs":
        counts = [int(part) for part in options.at_once.split(",")]
        task_seconds, workers = options.task_seconds, options.workers
        asyncio.run(measure_jobs(options.database, task_seconds=task_seconds, counts=counts, workers=workers))
        return 0
    if options.command == "fairness":
        asyncio.run(measure_fairness(options.database, count=options.beside))
        return 0
    if options.command == "catalog":
        measure_catalog()
        return 0
    if options.command == "writes":
        counts = [int(part) for part in options.connections.split(",")]
        asyncio.run(measure_writes(options.database, count=options.writes, counts_at_once=counts))
        return 0
    if options.command == "listeners":
        asyncio.run(measure_listeners(options.database, count=options.count))
        return 0
    if options.command == "logins":
        return 0 if asyncio.run(measure_logins(options.database, people=options.people)) else 1
    if options.command == "sync":
        size = Size(
            latency=options.latency,
            clusters=options.clusters,
            nodes=options.nodes,
            containers=options.containers,
        )
        return 0 if asyncio.run(measure_sync(size)) else 1
    plan = Plan(
        database=options.database,
        apps=options.apps,
        connections=tuple(int(part) for part in options.connections.split(",")),
        rounds=options.rounds,
        seconds=options.seconds,
        only=options.only,
    )
    return asyncio.run(_run(plan, options.results))


async def _run(plan: Plan, file: Path) -> int:
    results, memory = await Session(plan).run()
    print(render_table(results, memory))
    write_json(file, results, memory, database=plan.database, apps=plan.apps)
    write_chart(file.with_suffix(".svg"), results)
    print(f"written to {file} and {file.with_suffix('.svg')}")
    return 0


def _compare(results: Path, baseline: Path) -> int:
    faults = compare_results(json.loads(results.read_text()), json.loads(baseline.read_text()))
    for fault in faults:
        sys.stderr.write(f"{fault}\n")
    return 1 if faults else 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "command",
        choices=["run", "jobs", "fairness", "writes", "listeners", "logins", "sync", "catalog", "compare"],
    )
    parser.add_argument("--database", choices=["postgres", "sqlite"], default="postgres")
    parser.add_argument("--apps", type=int, default=20_000)
    parser.add_argument("--connections", default="16", help="numbers, comma-separated")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument(
        "--only", default="", help="cases whose name contains one of these parts (a;b), and their floors"
    )
    parser.add_argument(
        "--at-once", default="1,50", help="jobs: deployments at once, numbers, comma-separated"
    )
    parser.add_argument("--writes", type=int, default=50, help="writes: how many of each kind")
    parser.add_argument("--task-seconds", type=float, default=0.2, help="jobs: of a task of Proxmox")
    parser.add_argument("--count", type=int, default=1000, help="listeners: how many")
    parser.add_argument("--people", type=int, default=20, help="logins: how many sign in at once")
    parser.add_argument("--workers", type=int, default=1, help="jobs: of each service")
    parser.add_argument("--beside", type=int, default=20, help="fairness: deployments of one user")
    for name, default in (("clusters", 3), ("nodes", 12), ("containers", 2000)):
        parser.add_argument(f"--{name}", type=int, default=default, help="sync: how many in all")
    parser.add_argument("--latency", type=float, default=0.02, help="sync: seconds that every call takes")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--baseline", type=Path, default=BASELINE)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
