"""`python -m tests.replicas`: a cluster that loses every process once, and goes from one release to the next."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from deploy.local.specs import ROOT
from tests.chaos.platform import PlatformError
from tests.replicas.course import Plan, Verdict, run_course
from tests.replicas.release import export_commit, make_successor


def main(argv: list[str] | None = None) -> int:
    """Run once; 1 when something did not hold."""
    options = _parse_arguments(argv)
    folder = Path(tempfile.mkdtemp(prefix="proximity-replicas-"))
    before = export_commit(options.commit, folder / "before") if options.commit else ROOT
    plan = Plan(before=before, after=make_successor(folder / "after"), seed=options.seed)
    try:
        verdict = asyncio.run(run_course(plan, state=folder / "state", report=_say))
    except PlatformError as error:
        _say(f"{error}; all is in {folder}")
        return 1
    _show(verdict)
    if verdict.violations or verdict.reads.failures:
        _say(f"evidence in {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


def _parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.replicas", description=__doc__)
    parser.add_argument(
        "--from",
        dest="commit",
        help="the commit that runs first, else this tree; after it comes this tree with one more migration",
    )
    parser.add_argument("--seed", type=int, default=1, help="of what users do")
    return parser.parse_args(argv)


def _show(verdict: Verdict) -> None:
    reads = verdict.reads
    _say(
        f"{len(reads.seconds)} reads answered, {len(reads.failures)} failed, {reads.rate:.0f} a second; half within"
        f" {reads.percentile(0.5) * 1000:.0f} ms, 99 of 100 within {reads.percentile(0.99) * 1000:.0f} ms,"
        f" the slowest in {reads.percentile(1.0):.1f} s"
    )
    statuses = ", ".join(
        f"{count} times {status or 'no answer'}" for status, count in sorted(verdict.writes.items())
    )
    _say(f"{sum(verdict.writes.values())} writes ({statuses}), {verdict.operations} operations")
    for sentence in (*reads.failures, *verdict.violations):
        _say(f"BROKEN {sentence}")
    if not reads.failures and not verdict.violations:
        _say("everything holds")


def _say(sentence: str) -> None:
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
