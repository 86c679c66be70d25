"""One run: everything starts, users act while it is struck, it settles, it is checked."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import requests
import sqlalchemy as sa

from tests.chaos.blows import Storm
from tests.chaos.checks import check_all
from tests.chaos.checks.audit import check_audit
from tests.chaos.checks.events import check_events
from tests.chaos.choices import (
    ACTING,
    OUTAGE_S,
    SILENCE_S,
    Blow,
    choose_actions,
    choose_blows,
    choose_trials,
    choose_way,
)
from tests.chaos.counts import WHOLE_S, StormCounts, count_encounters, count_silent_copies, list_missing
from tests.chaos.evidence import Evidence, is_settled, read_databases
from tests.chaos.history import History
from tests.chaos.looks import read_looks
from tests.chaos.overtime import Overtime
from tests.chaos.platform import PASSWORD, Platform, PlatformError
from tests.chaos.policies import add_policies, end_policies
from tests.chaos.topology import NODES, list_foreign_archives
from tests.chaos.users import User

USERS = 5
_OWNERS = 2  # of them whose apps have policies: few, so that each app has several runs
SETTLE_S = 420.0  # besides what the last copy still says nothing
_MOST_ACTIONS = 5000
_LOOK_S = 1.0
_ARRIVE_S = 75.0  # for messages that were published; one that failed is delivered again after 60 s at most
_PAGE_S = 15.0


@dataclass(frozen=True)
class Verdict:
    """How a run went.

    Attributes:
        violations: what does not hold.
        exchanges: how many requests were answered or not.
        accepted: how many of them were.
        operations: how many of each end, by name.
        failures: why operations failed, each reason once.
        blows: how many struck.
        settled_s: how long it took until nothing was under way.
        silent_copies: how many copies printed nothing for as long as was asked for, and succeeded.
        encounters: what came up of backup policies, streams and terminals.
    """

    violations: tuple[str, ...]
    exchanges: int
    accepted: int
    operations: dict[str, int]
    failures: tuple[str, ...]
    blows: int
    settled_s: float
    silent_copies: int
    encounters: StormCounts


@dataclass(frozen=True)
class Lengths:
    """How long a storm, an outage of Proxmox and a silent copy last, in seconds."""

    storm_s: float
    outage_s: float = OUTAGE_S
    silence_s: float = SILENCE_S


async def run_storm(
    seed: int,
    *,
    lengths: Lengths,
    state: Path,
    report: Callable[[str], None],
    database: str = "postgresql",
) -> Verdict:
    """Run once.

    Args:
        seed: of every choice.
        lengths: how long it lasts, and how long what users meet lasts.
        state: an empty directory; what happened is in it afterwards.
        report: is told what goes on.
        database: `postgresql` or `sqlite`.

    Raises:
        PlatformError: it does not start, or is not well again after the storm.
    """
    way = choose_way(seed)
    platform = Platform(state, report=lambda _: None, database=database, way=way, hurried=True)
    try:
        await platform.start()
        report(
            f"seed {seed}: {len(platform.processes)} processes run, commands go by {way}, the storm begins"
        )
        return await _play(platform, seed, lengths=lengths, report=report)
    finally:
        await platform.stop()


async def _play(platform: Platform, seed: int, *, lengths: Lengths, report: Callable[[str], None]) -> Verdict:
    history, storm = History(platform.state / "history.jsonl"), Storm(platform)
    users = [User(platform.url, history, index) for index in range(USERS)]
    blows = _choose_blows(platform, seed, lengths)
    try:
        before = await _prepare(platform, users)
        await _rage(storm, users, blows, seed=seed, seconds=lengths.storm_s)
        is_whole = lengths.storm_s >= WHOLE_S
        overtime = Overtime(storm=storm, users=users, history=history, is_whole=is_whole)
        overtime_s = await overtime.run(seed)
        report(
            f"seed {seed}: {len(history.exchanges)} requests and {len(blows)} blows; it calms down "
            f"after {overtime_s:.0f} s of overtime"
        )
        calmed = time.monotonic()
        await storm.calm()
        await end_policies(users[0])
        evidence = await settle(
            platform, Evidence(history=tuple(history), before=before), longest_s=SETTLE_S + lengths.silence_s
        )
        settled_s = time.monotonic() - calmed
        looks, deaths = tuple(read_looks(platform.looks)), tuple(storm.deaths)
        evidence = dataclasses.replace(evidence, looks=looks, deaths=deaths)
        evidence = await look_closer(platform, evidence, users[0])
    finally:
        await storm.close()
        for user in users:
            await user.close()
        history.close()
    silent = count_silent_copies(evidence, lengths.silence_s)
    return _judge(
        platform,
        evidence,
        blows=len(blows),
        settled_s=settled_s,
        silent_copies=silent,
        storm_s=lengths.storm_s,
    )


async def _prepare(platform: Platform, users: Sequence[User]) -> dict[str, Any]:
    """Sign users in and add policies and archives of others; the simulator's state before the storm."""
    for user in users:
        await user.sign_in(f"person{user.index}" if user.index else "admin", PASSWORD)
    await add_policies(users[0], owners=[user.id for user in users[1:]][:_OWNERS])
    for archive in list_foreign_archives():
        await asyncio.to_thread(platform.ask_simulator, "POST", "/volumes", archive)
    before: dict[str, Any] = await asyncio.to_thread(platform.ask_simulator, "GET", "/state")
    return before


async def _rage(
    storm: Storm, users: Sequence[User], blows: Sequence[Blow], *, seed: int, seconds: float
) -> None:
    """Let users act while it strikes; one that fails ends all."""
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        group.create_task(storm.rage(blows, began=began))
        for user in users:
            choices = choose_actions(seed, user=user.index, count=_MOST_ACTIONS)
            group.create_task(user.carry_out(choices, until=began + seconds * ACTING, others=users))


def _choose_blows(platform: Platform, seed: int, lengths: Lengths) -> list[Blow]:
    """What strikes, in order."""
    blows = choose_blows(
        seed,
        seconds=lengths.storm_s,
        processes=list(platform.processes),
        nodes=NODES,
        links=list(platform.links),
    )
    trials = choose_trials(
        seed, seconds=lengths.storm_s, outage_s=lengths.outage_s, silence_s=lengths.silence_s
    )
    return sorted([*blows, *trials], key=lambda one: one.at)


async def settle(platform: Platform, evidence: Evidence, *, longest_s: float = SETTLE_S) -> Evidence:
    """Wait until nothing is under way, for at most `longest_s`, and messages have arrived; what is there then."""
    deadline = time.monotonic() + longest_s
    arrived_by = 0.0
    while True:
        try:
            rows = await asyncio.to_thread(read_databases, platform.database_url)
            after = await asyncio.to_thread(platform.ask_simulator, "GET", "/state")
        except (sa.exc.SQLAlchemyError, requests.RequestException) as error:
            if time.monotonic() > deadline:
                raise PlatformError(f"databases or Proxmox do not come back: {error}") from error
        else:
            found = dataclasses.replace(evidence, **rows, after=after)
            if time.monotonic() > deadline:
                return found
            if is_settled(found):
                arrived_by = arrived_by or time.monotonic() + _ARRIVE_S
                if time.monotonic() > arrived_by or not [*check_audit(found), *check_events(found)]:
                    return found
        await asyncio.sleep(_LOOK_S)


async def look_closer(platform: Platform, evidence: Evidence, admin: User) -> Evidence:
    """Add what apps answer and what a reconciliation finds."""
    pages = {
        str(app["id"]): await _read_page(str(one["address"]), port)
        for app in evidence.apps
        if app["status"] == "running" and not app["adopted"]
        if (port := app["public_port"] if app["published"] else app["internal_port"]) is not None
        if (one := evidence.containers.get(app["vmid"])) is not None and one["address"]
    }
    reconciled = await admin.write("/apps/reconcile", {}, action="reconcile")
    findings = reconciled.answer.get("findings", []) if reconciled.is_accepted else [reconciled.answer]
    return dataclasses.replace(evidence, pages=pages, findings=findings)


async def _read_page(address: str, port: int) -> int:
    deadline, status = time.monotonic() + _PAGE_S, 0
    async with httpx.AsyncClient(timeout=5) as http:
        while time.monotonic() < deadline:
            try:
                status = (await http.get(f"http://{address}:{port}/")).status_code
            except httpx.HTTPError:
                status = 0
            if status == 200:
                break
            await asyncio.sleep(0.5)
    return status


def _judge(
    platform: Platform,
    evidence: Evidence,
    *,
    blows: int,
    settled_s: float,
    silent_copies: int,
    storm_s: float,
) -> Verdict:
    _keep(platform.state / "evidence.json", evidence)
    operations = Counter(
        f"{one['kind']} {one['status']}" for one in (*evidence.operations, *evidence.backup_operations)
    )
    counts = count_encounters(evidence)
    missing = list_missing(counts, is_whole=storm_s >= WHOLE_S)
    return Verdict(
        violations=(*check_all(evidence), *missing),
        exchanges=len(evidence.history),
        accepted=counts.accepted,
        operations=dict(sorted(operations.items())),
        failures=_list_failures(evidence),
        blows=blows,
        settled_s=settled_s,
        silent_copies=silent_copies,
        encounters=counts,
    )


def _list_failures(evidence: Evidence) -> tuple[str, ...]:
    """Why operations failed, for a person to judge; what backups carries out is in apps as well."""
    own = {one["id"]: one for one in (*evidence.operations, *evidence.backup_operations)}
    return tuple(
        sorted({f"{one['kind']}: {one['error']}" for one in own.values() if one["status"] == "failed"})
    )


def _keep(file: Path, evidence: Evidence) -> None:
    """Leave the evidence for a person to look at."""
    fields: dict[str, Any] = {
        field.name: getattr(evidence, field.name)
        for field in dataclasses.fields(evidence)
        if field.name != "history"
    }
    file.write_text(json.dumps(fields, default=str, indent=1), encoding="utf-8")
