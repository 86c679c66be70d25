"""Ten minutes without Proxmox, in simulated time: it begins within a chosen step and ends by itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from services.common.operations.engine import Engine
from services.common.operations.model import Change, ClaimedOperation
from services.inventory.domain.errors import HostUnreachableError, WriteUncertainError
from services.inventory.proxmox.answers import Answer
from services.inventory.proxmox.client import ProxmoxClient
from services.inventory.proxmox.refusals import translate
from tests.failpoints.crashing import CrashingStore
from tests.failpoints.platform import Desk, Platform

OUTAGE_S = 600.0
KINDS = ("silent", "answer lost", "credentials refused", "no quorum")
_ROUNDS = 400  # of all desks: ten minutes are at most 300 waits of 2 s, and what follows them


@dataclasses.dataclass
class Outage:
    """What Proxmox does from one request on, for ten simulated minutes.

    Attributes:
        kind: of `KINDS`; with an answer lost, the first write is carried out before Proxmox falls silent.
        step: number of the step, over all operations, within which it begins.
        skip: requests of that step that are still answered.
        undoing: the steps that are counted are those of undoing.
        pace: how many times as fast its time passes: with 1, it sees every retry of the ten minutes.
        on_begin: is called once, when the outage has begun.
    """

    kind: str
    step: int
    skip: int = 0
    undoing: bool = False
    pace: int = 1
    on_begin: Callable[[], Awaitable[None]] | None = None
    left_s: float = OUTAGE_S
    steps: int = 0
    struck: int = 0

    @property
    def is_on(self) -> bool:
        """Whether Proxmox is not to be had now."""
        return self.steps > self.step and self.skip <= 0 and self.left_s > 0

    def pass_time(self, seconds: float) -> None:
        """Let simulated time pass."""
        if self.is_on:
            self.left_s -= seconds * self.pace

    def meddle(self, client: ProxmoxClient, method: str, path: str, send: Callable[[], Any]) -> Any:
        """Answer a request, or do not."""
        if not self.is_on:
            self.skip -= self.steps > self.step
            return send()
        if self.kind == "no quorum" and method == "get":
            return send()
        self.struck += 1
        name = client.access.name
        if self.kind == "credentials refused":
            answer = Answer(401, "Authentication failed!", errors={})
            raise translate(answer, client.access, method=method, path=path)
        if self.kind == "no quorum":
            answer = Answer(500, "cluster not ready - no quorum?", errors={})
            raise translate(answer, client.access, method=method, path=path)
        if self.kind == "answer lost" and method != "get":
            self.kind = "silent"
            send()
            raise WriteUncertainError(f"{name} gave no answer to {method.upper()} {path}", retry_after=1)
        raise HostUnreachableError(f"{name} does not answer: connection refused", metadata={"scope": "host"})


class WatchingStore(CrashingStore):
    """Tells an outage when steps begin."""

    outage: Outage

    async def update_step(
        self, operation: ClaimedOperation, position: int, step: dict[str, Any], **more: Any
    ) -> bool:
        """See `SqlOperationStore.update_step`."""
        if step == {"status": "running"} and more.get("values", {}).get("attempt") == 1:
            self.outage.steps += not self.outage.undoing
        cancelled = await super().update_step(operation, position, step=step, **more)
        if step.get("status") == "undone":
            self.outage.steps += self.outage.undoing
        return cancelled

    async def update(
        self, operation: ClaimedOperation, values: dict[str, Any], *, changes: Sequence[Change] = ()
    ) -> None:
        """See `SqlOperationStore.update`."""
        await super().update(operation, values, changes=changes)
        if values.get("status") == "undoing":
            self.outage.steps += self.outage.undoing


async def outlive(platform: Platform, outage: Outage) -> None:
    """Run everything to its end while simulated time passes with every wait."""
    for _ in range(_ROUNDS):
        is_idle = True
        for desk in platform.desks.values():
            if await desk.count_unfinished():
                is_idle = False
                await desk.let_time_pass()
                await _run(desk, outage)
        if outage.is_on and outage.struck and outage.on_begin is not None:
            begin, outage.on_begin = outage.on_begin, None
            await begin()
        if outage.is_on and outage.struck:
            await _check_that_waits_are_said(platform)
        if not outage.is_on:
            platform.end_silence()
        platform.proxmox.run_tasks()
        if is_idle:
            return
    raise AssertionError(f"operations do not end: {await platform.describe_operations()}")


async def _check_that_waits_are_said(platform: Platform) -> None:
    """Raise AssertionError where an operation was let go without saying what it waits for."""
    for kind, status, _, waiting_for, error in await platform.describe_operations():
        if status in {"waiting", "undoing"}:
            assert waiting_for, f"{kind} ({status}) does not say what it waits for; {error}"


async def _run(desk: Desk, outage: Outage) -> None:
    store = WatchingStore(desk.db, desk.tables, apply=desk.apply, log=desk.log)
    store.outage = outage
    engine = Engine(store, desk.workflows, worker="w", retry_s=0.001)
    while (operation := await engine.claim()) is not None:
        outage.pass_time(await engine.run(operation) or 0.0)
