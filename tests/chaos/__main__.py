"""`python -m tests.chaos`: storms, one after another, each from its seed."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.choices import OUTAGE_S, SILENCE_S
from tests.chaos.platform import PlatformError
from tests.chaos.storm import Lengths, Verdict, run_storm


def main(argv: list[str] | None = None) -> int:
    """Run the storms; 1 when something did not hold in one of them."""
    options = _parse_arguments(argv)
    seeds = options.seed or [secrets.randbelow(1_000_000) for _ in range(options.count)]
    databases = [options.database] if options.database else ["postgresql", "sqlite"]
    runs = [(seed, databases[number % len(databases)]) for number, seed in enumerate(seeds)]
    broken = [
        seed
        for seed, database in runs
        if not _run_one(
            seed,
            Lengths(options.seconds, options.outage_seconds, options.silence_seconds),
            options.keep,
            database=database,
        )
    ]
    if broken:
        _say(f"broken: {' '.join(map(str, broken))}")
        return 1
    _say(f"everything held in {len(seeds)} storms")
    return 0


def _parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, action="append", help="a seed; may be given more than once")
    parser.add_argument("--count", type=int, default=3, help="how many random seeds, when none is given")
    parser.add_argument(
        "--seconds",
        type=float,
        default=180.0,
        help="how long each lasts, without overtime; users act in three quarters",
    )
    parser.add_argument(
        "--outage-seconds", type=float, default=OUTAGE_S, help="how long an outage of Proxmox lasts"
    )
    parser.add_argument(
        "--silence-seconds", type=float, default=SILENCE_S, help="how long some copies print nothing"
    )
    parser.add_argument(
        "--database", choices=("postgresql", "sqlite"), help="of every storm; without it they take turns"
    )
    parser.add_argument("--keep", type=Path, help="keep logs, history and evidence of every storm here")
    return parser.parse_args(argv)


def _run_one(seed: int, lengths: Lengths, keep: Path | None, *, database: str) -> bool:
    """Run a storm and say how it went; True when everything held. Evidence of one that broke is kept."""
    state = (keep or Path(tempfile.mkdtemp(prefix="proximity-storm-"))) / f"seed-{seed}"
    shutil.rmtree(state, ignore_errors=True)
    began = time.monotonic()
    options = f"--seed {seed} --seconds {lengths.storm_s:g} --database {database}"
    if lengths != Lengths(lengths.storm_s):
        options += f" --outage-seconds {lengths.outage_s:g} --silence-seconds {lengths.silence_s:g}"
    _say(f"seed {seed}: repeat with python -m tests.chaos {options}")
    try:
        verdict = asyncio.run(run_storm(seed, lengths=lengths, state=state, report=_say, database=database))
    except PlatformError as error:
        _say(f"seed {seed}: {error}; logs in {state}")
        return False
    _show(seed, verdict, took=time.monotonic() - began)
    if verdict.violations:
        _say(f"seed {seed}: evidence in {state}")
    elif keep is None:
        shutil.rmtree(state.parent, ignore_errors=True)
    return not verdict.violations


def _show(seed: int, verdict: Verdict, *, took: float) -> None:
    ends = ", ".join(f"{name} {count}" for name, count in verdict.operations.items())
    _say(
        f"seed {seed}: {verdict.exchanges} requests, {verdict.accepted} accepted writes, {verdict.blows} blows, "
        f"{verdict.silent_copies} silent copies, settled in {verdict.settled_s:.0f} s, {took:.0f} s in all"
    )
    _say(f"seed {seed}: {ends}")
    _say(f"seed {seed}: came up: {verdict.encounters.render()}")
    for reason in verdict.failures:
        _say(f"seed {seed}: failed {reason}")
    for violation in verdict.violations:
        _say(f"seed {seed}: BROKEN {violation}")
    if not verdict.violations:
        _say(f"seed {seed}: everything holds")


def _say(sentence: str) -> None:
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
