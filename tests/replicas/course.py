"""One run: users act and reads arrive, processes are lost and replaced, it settles, it is checked."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy.local.api import Api
from deploy.local.specs import ROOT
from tests.chaos.checks import check_all
from tests.chaos.choices import Choice, choose_actions
from tests.chaos.evidence import Evidence
from tests.chaos.history import History
from tests.chaos.platform import PASSWORD
from tests.chaos.storm import look_closer, settle
from tests.chaos.users import User
from tests.replicas.cluster import FIRST, SECOND, Cluster
from tests.replicas.load import Reader, Reads
from tests.replicas.servers import NATS

RATE = 50.0
_USERS = 3
_MOST_ACTIONS = 5000
_DEPLOY_S = 120.0
_COMPOSE = 1  # the value of a choice that makes a deployment one with Docker, wherever there is room
_BACKGROUND_S = 600.0
Report = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What happens in a run.

    Attributes:
        before, after: folders of the code that runs first and in the end.
        seed: of what users do.
        losses: processes that are killed, one after another, and started again as they were.
        lose_database: whether the primary is lost.
        single: second replicas that are not started.
        killed, asked: what the next release replaces, after SIGKILL or when it has ended by itself.
    """

    before: Path = ROOT
    after: Path = ROOT
    seed: int = 1
    losses: tuple[str, ...] = (*FIRST, *NATS)
    lose_database: bool = True
    single: tuple[str, ...] = ()
    killed: tuple[str, ...] = FIRST
    asked: tuple[str, ...] = SECOND


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How a run went: what does not hold, the reads, and how many writes there were of each status."""

    violations: tuple[str, ...]
    reads: Reads
    writes: Counter[int]
    operations: int


async def run_course(plan: Plan, *, state: Path, report: Report) -> Verdict:
    """Run once.

    Args:
        plan: what happens.
        state: an empty directory; what happened is in it afterwards.
        report: is told what goes on.

    Raises:
        PlatformError: a part did not start or did not come back.
    """
    began = time.monotonic()

    def say(sentence: str) -> None:
        report(f"{time.monotonic() - began:5.1f} s  {sentence}")

    cluster = Cluster(
        state,
        plan.before,
        single=plan.single,
        has_standby=plan.lose_database,
        report=lambda _: None,
    )
    try:
        await cluster.start()
        say(f"{len(cluster.processes)} processes run")
        return await _play(cluster, plan, say)
    finally:
        await cluster.stop()


async def _play(cluster: Cluster, plan: Plan, say: Report) -> Verdict:
    history = History(cluster.state / "history.jsonl")
    reader = await _prepare_reader(cluster.url, history)
    users = [User(cluster.url, history, index) for index in range(_USERS)]
    for user in users:
        await user.sign_in(f"person{user.index}" if user.index else "admin", PASSWORD)
    before = await asyncio.to_thread(cluster.ask_simulator, "GET", "/state")
    over = asyncio.Event()
    reading = asyncio.create_task(reader.read(RATE, until=over))
    acting = [asyncio.create_task(_act(user, users, plan.seed)) for user in users]
    try:
        await _strike(cluster, plan, say)
        await _end(acting)
        over.set()
        await reading
        say("it settles")
        evidence = await settle(cluster, Evidence(history=tuple(history), before=before))
        evidence = await look_closer(cluster, evidence, users[0])
    finally:
        over.set()
        await _end(acting)
        await asyncio.gather(reading, *(user.close() for user in users))
        history.close()
    say("settled")
    return Verdict(
        violations=tuple(check_all(evidence)),
        reads=reader.reads,
        writes=Counter(one.status for one in evidence.history if one.method != "GET"),
        operations=len(evidence.operations) + len(evidence.backup_operations),
    )


async def _strike(cluster: Cluster, plan: Plan, say: Report) -> None:
    for name in plan.losses:
        await cluster.lose(name)
        say(f"{name} was killed and is back")
    if plan.lose_database:
        say(
            f"the primary database was killed, its standby took over within {await cluster.lose_database():.1f} s"
        )
    cluster.release = plan.after
    await cluster.migrate()
    say("the databases have the schema of the next release")
    await asyncio.gather(*(cluster.replace(name, kindly=False) for name in plan.killed))
    say(f"{', '.join(plan.killed)} were killed and are of the next release")
    await asyncio.gather(*(cluster.replace(name, kindly=True) for name in plan.asked))
    say(f"{', '.join(plan.asked)} were asked to end and are of the next release")


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _act(user: User, users: list[User], seed: int) -> None:
    choices = choose_actions(seed, user=user.index, count=_MOST_ACTIONS)
    await user.carry_out(choices, until=time.monotonic() + _BACKGROUND_S, others=users)


async def _prepare_reader(url: str, history: History) -> Reader:
    """Make an app that nobody else touches and a reader of what every service shows of it."""
    owner = User(url, history, _USERS)
    await owner.sign_in("reader", PASSWORD)
    deploying = Choice(
        number=0, user=_USERS, pause=0.0, action="deploy", pick=0.0, value=_COMPOSE, resend=True
    )
    await owner.carry_out([deploying], until=time.monotonic() + _DEPLOY_S, others=[])
    await owner.close()
    app = str(history.exchanges[-1].answer["id"])
    api = Api(url)
    await asyncio.to_thread(api.sign_in, "reader", PASSWORD)
    await asyncio.to_thread(api.wait_for_app, app, wanted="running", timeout=_DEPLOY_S, watch=lambda _: None)
    paths = (
        *("/auth/me", "/apps?per_page=20", f"/apps/{app}", f"/apps/{app}/status", f"/apps/{app}/logs"),
        *(f"/apps/{app}/operations", f"/apps/{app}/backups", "/catalog/search?q=admin", "/catalog/adminer"),
        *("/proxmox/nodes", "/catalog/categories", "/auth/tokens"),
    )
    return Reader(url, api.token, paths)


__all__ = ["Plan", "Verdict", "run_course"]
