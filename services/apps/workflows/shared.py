"""What several workflows do: the state, tasks, and steps on one container."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from services.apps.domain.advice import find_advice
from services.apps.domain.entities import App, Change, ChangeApp
from services.apps.domain.errors import StepFailedError
from services.apps.domain.interfaces import Container, Containers, Ref, Task
from services.common.errors import NotFoundError
from services.common.operations.model import Context, Step, StepResult, TransientError, WaitError

_ADDRESS_WAIT_S = 60.0
_FIRST_POLL_S = 0.05
_POLL_S = 0.5
_LINE_LIMIT = 500
_LINES = 20  # of a task's log, at a time
_ENDING_S = 30.0
_STALL_S = 600
_MAKING = frozenset({"vzcreate", "vzrestore", "vzclone"})
_POWER = frozenset({"vzstart", "vzstop", "vzshutdown", "vzreboot", "vzmigrate"})


@dataclass(frozen=True)
class AppState:
    """What an operation has found out so far; no secrets.

    Attributes:
        previous: status of the app before.
        was_running: whether its container ran before.
        looked: whether that was seen in Proxmox.
        source_*: the app that is copied.
        source_stopped: the source was stopped for the copy and has to be started again.
        archive: the backup that a new app is made of.
        changes: what `update_app` changes in the container.
        former: the values of before, of those that it changes.
        image: volume id of the pulled OCI image.
    """

    app_id: str
    host_id: int
    node: str = ""
    vmid: int | None = None
    previous: str = "running"
    was_running: bool = True
    looked: bool = False
    source_app_id: str = ""
    source_vmid: int = 0
    source_node: str = ""
    source_stopped: bool = False
    archive: str = ""
    target_node: str = ""
    image: str = ""
    address: str = ""
    port: int | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    former: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ref(self) -> Ref:
        """The container.

        Raises:
            StepFailedError: it has none.
        """
        if self.vmid is None:
            raise StepFailedError(f"the app {self.app_id} has no container")
        return Ref(self.host_id, self.vmid, self.node)

    @property
    def source(self) -> Ref:
        """The container that is copied."""
        return Ref(self.host_id, self.source_vmid, self.source_node)


def growing_delays(longest: float) -> Iterator[float]:
    """Seconds between looks at what may be done soon or late: short at first, growing by half to `longest`."""
    delay = min(_FIRST_POLL_S, longest)
    while True:
        yield delay
        delay = min(delay * 1.5, longest)


class AppReader(Protocol):
    """Where steps read the app they work on."""

    async def get_app(self, app_id: str) -> App:
        """One app."""


@dataclass(frozen=True)
class Tools:
    """What steps work with."""

    containers: Containers
    apps: AppReader

    async def finish(self, task: Task, ctx: Context) -> str:
        """Follow a task: its upid and lines are noted, its progress shown."""
        await ctx.note_upid(task.upid)

        async def on_progress(percent: int | None, lines: Sequence[str]) -> None:
            if percent is not None:
                await ctx.progress(percent / 100)
            for line in lines[-_LINES:]:
                await ctx.log(line[:_LINE_LIMIT])

        return await self.containers.finish(task, on_progress)

    async def end_tasks(self, state: AppState, ctx: Context, *, kinds: Collection[str]) -> None:
        """Stop what Proxmox still does of these kinds: on the app's container, or begun by this operation.

        Raises:
            WaitError: a task does not end.
        """
        tasks = {
            one.task.upid: one.task
            for one in await self.containers.list_tasks(state.ref)
            if one.kind in kinds
        }
        for upid in await ctx.list_upids():
            if _kind_of(upid) in kinds:
                tasks[upid] = Task(state.host_id, upid.split(":")[1], upid)
        for task in tasks.values():
            await self.containers.stop_task(task)
            await self._await_end(task)

    async def has_done(self, kind: str, state: AppState, ctx: Context) -> bool:
        """Follow the tasks of this kind that the operation noted; whether one succeeded. Once is enough."""
        for upid in await ctx.list_upids():
            if _kind_of(upid) == kind:
                try:
                    await self.finish(Task(state.host_id, upid.split(":")[1], upid), ctx)
                except (StepFailedError, NotFoundError):
                    continue  # it failed; another one may not
                return True
        return False

    async def _await_end(self, task: Task) -> None:
        async def ignore(_percent: int | None, _lines: Sequence[str]) -> None:
            return

        try:
            async with asyncio.timeout(_ENDING_S):
                await self.containers.finish(task, ignore)
        except TimeoutError:
            raise WaitError(f"Proxmox to end its task {task.upid}", delay=5) from None
        except (StepFailedError, TransientError, NotFoundError):
            return  # it has ended, and how does not matter any more

    async def act(self, action: str, state: AppState, ctx: Context) -> None:
        """Start, stop, reboot or destroy the app's container, to the end."""
        task = await self.containers.act(action, state.ref, owner=state.app_id)
        await self.finish(task, ctx)

    async def execute(
        self,
        state: AppState,
        ctx: Context,
        *,
        argv: Sequence[str],
        quiet: bool = False,
        stall_s: int = _STALL_S,
    ) -> tuple[int, str]:
        """Run a command in the container; its exit status and the end of what it said."""
        said: list[str] = []

        async def on_text(text: str) -> None:
            said.append(text)

        code = await self.containers.execute(
            state.ref, state.app_id, argv=argv, on_text=on_text, stall_s=stall_s
        )
        text = "".join(said)
        if not quiet and code:
            for line in [line for line in text.splitlines() if line.strip()][-5:]:
                await ctx.log(line[:_LINE_LIMIT], level="warning")
        return code, text

    async def require(
        self,
        state: AppState,
        ctx: Context,
        *,
        argv: Sequence[str],
        purpose: str,
        stall_s: int = _STALL_S,
    ) -> str:
        """Run a command that must succeed.

        Raises:
            TransientError: it did not; networks and mirrors come and go.
            StepFailedError: it did not, for a known reason that trying again does not change.
        """
        code, text = await self.execute(state, ctx, argv=argv, stall_s=stall_s)
        if not code:
            return text
        lines = [line for line in text.splitlines() if line.strip()]
        why = f"{purpose} failed with status {code}: {(lines or ['no output'])[-1][:_LINE_LIMIT]}"
        advice = find_advice(text)
        if advice is None:
            raise TransientError(why)
        await ctx.log(f"What to do: {advice.text}", level="warning")
        raise (TransientError if advice.may_pass else StepFailedError)(f"{why} ({advice.text})")

    async def find(self, state: AppState) -> Container | None:
        """The app's container as it is now."""
        return None if state.vmid is None else await self.containers.find(state.ref)

    async def wait_address(self, state: AppState) -> str:
        """The container's address, as soon as it has one.

        Raises:
            TransientError: not within a minute.
        """
        loop = asyncio.get_running_loop()
        end, delays = loop.time() + _ADDRESS_WAIT_S, growing_delays(_POLL_S)
        while loop.time() < end:
            container = await self.find(state)
            if container is not None and container.address:
                return container.address
            await asyncio.sleep(next(delays))
        raise TransientError(f"container {state.vmid} has no address after {_ADDRESS_WAIT_S:.0f} s")


class Steps:
    """Steps on one container, shared by workflows."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    @property
    def reserve_vmid(self) -> Step:
        """A container id of our own; undone by giving it back."""
        return Step("reserve_vmid", "Reserving a container id", self._reserve, self._release, weight=1)

    @property
    def start_container(self) -> Step:
        """The container runs and has an address."""
        return Step("start_container", "Starting the container", self.start, weight=4)

    def destroying(self, name: str, description: str, run: Any, *, weight: float) -> Step:
        """A step that makes a container; undone by destroying it."""
        return Step(name, description, run, self.destroy, weight=weight)

    def powering(self, name: str, description: str, run: Any, *, weight: float = 4) -> Step:
        """A step that starts, stops or moves a container; cancelled, it is put back as it was."""

        async def look_and_run(state: AppState, ctx: Context) -> Any:
            if not state.looked:
                container = await self._tools.find(state)
                running = container is not None and container.status == "running"
                state = dataclasses.replace(state, looked=True, was_running=running)
                await ctx.save(state)
            return await run(state, ctx)

        return Step(name, description, look_and_run, self._put_back, weight=weight)

    async def start(self, state: AppState, ctx: Context) -> StepResult:
        """Start the container and learn its address."""
        await self._tools.act("start", state, ctx)
        address = await self._tools.wait_address(state)
        found = dataclasses.replace(state, address=address)
        return StepResult(found, (ChangeApp(state.app_id, {"address": address}),))

    async def destroy(self, state: AppState, ctx: Context) -> AppState:
        """Stop and destroy the app's container, if it is there and ours."""
        if state.vmid is None:
            return state
        await self._tools.end_tasks(state, ctx, kinds=_MAKING)
        container = await self._tools.find(state)
        if container is None:
            return state
        if container.owner != state.app_id and (container.owner or not container.lock):
            await ctx.log(f"Container {state.vmid} is not the app's and is left alone", level="warning")
            return state
        if container.status == "running":
            await self._tools.act("stop", state, ctx)
        await self._tools.act("destroy", state, ctx)
        return state

    async def _reserve(self, state: AppState, ctx: Context) -> StepResult:
        vmid = await self._tools.containers.reserve_vmid(state.host_id, state.app_id)
        await ctx.log(f"The container id is {vmid}")
        found = dataclasses.replace(state, vmid=vmid)
        return StepResult(found, (ChangeApp(state.app_id, {"vmid": vmid}),))

    async def _release(self, state: AppState, _ctx: Context) -> StepResult:
        await self._tools.containers.release_vmid(state.host_id, state.app_id)
        change = ChangeApp(state.app_id, {"vmid": None, "address": ""})
        return StepResult(dataclasses.replace(state, vmid=None), (change,))

    async def _put_back(self, state: AppState, ctx: Context) -> AppState:
        await self._tools.end_tasks(state, ctx, kinds=_POWER)
        container = await self._tools.find(state)
        if container is None:
            return state
        if ctx.is_cancelled and (container.status == "running") != state.was_running:
            await self._tools.act("start" if state.was_running else "stop", state, ctx)
        return dataclasses.replace(state, node=container.node)


def _kind_of(upid: str) -> str:
    """What a task does, of its id: `UPID:node:pid:pstart:starttime:kind:...`."""
    parts = upid.split(":")
    return parts[5] if len(parts) > 5 else ""


def end_failed(state: AppState, error: str, cancelled: bool) -> tuple[Change, ...]:
    """The app is in error, or as before when the user cancelled."""
    values = {"status": "error", "error": error, "node": state.node}
    if cancelled:
        values |= {
            "status": state.previous,
            "error": "the last operation was cancelled" if state.previous == "error" else "",
        }
    return (ChangeApp(state.app_id, values),)


def end_failed_new(state: AppState, error: str, cancelled: bool) -> tuple[Change, ...]:
    """An app that never came to be: in error, its port free again."""
    reason = "cancelled" if cancelled else error
    return (
        ChangeApp(
            state.app_id, {"status": "error", "error": reason, "public_port": None, "published": False}
        ),
    )


def end_with(status: str, *, forget_address: bool = False) -> Any:
    """The function that ends an operation with a status."""

    def end(state: AppState) -> tuple[Change, ...]:
        values: dict[str, Any] = {"status": status, "error": "", "conditions": []}
        if forget_address:
            values["address"] = ""
        return (ChangeApp(state.app_id, values),)

    return end
