"""Tools of steps: the app's container, tasks of Proxmox, commands inside."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn

from services.apps.domain.advice import find_advice
from services.apps.domain.errors import StepFailedError
from services.apps.domain.marks import AppReader
from services.apps.workflows.state import AppState
from services.apps.workflows.steps.container_scripts import NOT_INSTALLABLE, split_stages
from services.clients.inventory.errors import TaskFailedError, TaskLostError
from services.clients.inventory.interface import Containers
from services.clients.inventory.lookup import find_container
from services.clients.inventory.tasks import end_task, follow_task, parse_upid
from services.clients.inventory.values import Container, Task, TaskKind, TaskProgress
from services.common.core.errors import TransientError
from services.common.operations.model import Context

_ADDRESS_WAIT_S = 60.0  # DHCP takes seconds, and half a minute where a bridge with spanning tree learns first
_FIRST_POLL_S = 0.05  # simulators and fast nodes answer at once
_POLL_S = 0.5  # longest delay between two reads of a container
_LINE_LIMIT = 500  # characters of a line in an app's log
_OUTPUT_LIMIT = 64 * 1024  # characters of a command's output that are stored: a container may print anything
_LINES = 20  # of a task's log, at a time
_STALL_S = 600  # without output: downloads over slow lines print something every few minutes


def growing_delays(longest: float) -> Iterator[float]:
    """Seconds between looks at what may be done soon or late: short at first, growing by half to `longest`."""
    delay = min(_FIRST_POLL_S, longest)
    while True:
        yield delay
        delay = min(delay * 1.5, longest)


@dataclass(frozen=True)
class Tools:
    """Clients of a step, and what all steps do with them."""

    containers: Containers
    apps: AppReader

    async def finish(
        self, task: Task, ctx: Context, *, on_lines: Callable[[Sequence[str]], None] | None = None
    ) -> str:
        """Follow a task: its upid and lines are noted, its progress shown.

        Raises:
            StepFailedError: the task failed for a reason that a second try does not change.
            TaskLostError: Proxmox does not know it any more; look at the container before the next try.
        """
        # Saved first: a worker that takes over follows this task instead of beginning another.
        await ctx.note_upid(task.upid)
        for warning in task.warnings:
            await ctx.log(warning[:_LINE_LIMIT], level="warning")
        fraction = 0.0

        async def on_progress(progress: TaskProgress) -> None:
            nonlocal fraction
            if progress.done and (progress.exit_status == "OK" or progress.may_pass or progress.held_up):
                return  # its last lines repeat what the operation shows by itself, or by the next try
            fraction = fraction if progress.percent is None else progress.percent / 100
            await ctx.progress(fraction)  # also of a silent task: the operation shows that time passes
            lines = [line for line in progress.lines if line.strip()]
            if on_lines is not None:
                on_lines(lines[-_LINES:])
            for line in lines[-_LINES:]:
                await ctx.log(line[:_LINE_LIMIT])

        try:
            return await follow_task(self.containers, task, on_progress=on_progress)
        except TaskFailedError as error:
            raise StepFailedError(error.message) from error

    async def end_tasks(self, state: AppState, ctx: Context, *, kinds: Collection[TaskKind]) -> None:
        """Stop what Proxmox still does of these kinds: on the app's container, or begun by this operation.

        Raises:
            WaitError: a task does not end.
        """
        tasks = {
            one.task.upid: one.task
            for one in await self.containers.list_container_tasks(state.ref)
            if one.kind in kinds
        }
        for upid in await ctx.list_upids():
            noted = parse_upid(state.host_id, upid)
            if noted.kind in kinds:
                tasks[upid] = noted.task
        for task in tasks.values():
            await end_task(self.containers, task)

    async def has_done(self, kind: TaskKind, state: AppState, *, ctx: Context) -> bool:
        """Follow the tasks of this kind that the operation noted; whether one succeeded. Once is enough."""
        for upid in await ctx.list_upids():
            noted = parse_upid(state.host_id, upid)
            if noted.kind is kind:
                try:
                    await self.finish(noted.task, ctx)
                except (StepFailedError, TaskLostError):
                    continue  # it failed; another one may not
                return True
        return False

    async def act(self, action: str, state: AppState, *, ctx: Context) -> Sequence[str]:
        """Start, stop, reboot or destroy the app's container, to the end; the last lines of the task's log."""
        begin = {
            "start": self.containers.start_container,
            "stop": self.containers.stop_container,
            "reboot": self.containers.reboot_container,
            "destroy": self.containers.destroy_container,
        }[action]
        task = await begin(state.ref, owner=state.app_id)
        lines: list[str] = []
        await self.finish(task, ctx, on_lines=lines.extend)
        return lines

    async def execute(
        self,
        state: AppState,
        *,
        argv: Sequence[str],
        stdin: bytes = b"",
        stall_s: int = _STALL_S,
    ) -> tuple[int, str]:
        """Run a command in the container; its exit status and the end of what it said, secrets and all."""
        output = ""

        async def on_text(text: str) -> None:
            nonlocal output
            output = (output + text)[-_OUTPUT_LIMIT:]

        code = await self.containers.exec(
            state.ref, owner=state.app_id, argv=argv, stdin=stdin, on_text=on_text, stall_s=stall_s
        )
        return code, output

    async def require(
        self,
        state: AppState,
        ctx: Context,
        *,
        argv: Sequence[str],
        purpose: str,
        stall_s: int = _STALL_S,
    ) -> str:
        """Run a command that must succeed; what it says when it fails goes to the app's log.

        Raises:
            TransientError: it did not; networks and mirrors come and go.
            StepFailedError: it did not, for a known reason that trying again does not change.
        """
        code, text = await self.execute(state, argv=argv, stall_s=stall_s)
        if code:
            await self._fail(state, ctx, code=code, text=text, purpose=purpose)
        return text

    async def run_script(
        self,
        state: AppState,
        ctx: Context,
        *,
        argv: Sequence[str],
        stdin: bytes = b"",
        accepted: Collection[int] = (0,),
        stall_s: int = _STALL_S,
    ) -> int:
        """Run a script of `container_scripts` that must end with an accepted code, and return that.

        Raises:
            DomainError: as `require`; the purpose is the stage in which it ended.
        """
        code, text = await self.execute(state, argv=argv, stdin=stdin, stall_s=stall_s)
        if code not in accepted:
            await self._fail(state, ctx, code=code, text=text)
        return code

    async def _fail(
        self, state: AppState, ctx: Context, *, code: int, text: str, purpose: str = ""
    ) -> NoReturn:
        # Before anything is logged: commands print environments and connection strings.
        shown = (await self.apps.get_app(state.app_id)).hide_secrets(text)
        stage, lines = split_stages(shown)
        for line in lines[-5:]:
            await ctx.log(line[:_LINE_LIMIT], level="warning")
        why = f"{purpose or stage} failed with status {code}: {(lines or ['no output'])[-1][:_LINE_LIMIT]}"
        if code == NOT_INSTALLABLE:
            raise StepFailedError(why)
        advice = find_advice(text)
        if advice is None:
            raise TransientError(why)
        await ctx.log(f"What to do: {advice.text}", level="warning")
        raise (TransientError if advice.may_pass else StepFailedError)(f"{why} ({advice.text})")

    async def find(self, state: AppState) -> Container | None:
        """The app's container as it is now."""
        return None if state.vmid is None else await find_container(self.containers, state.ref)

    async def wait_address(self, state: AppState) -> str:
        """The container's address, as soon as it has one.

        Raises:
            TransientError: not within a minute.
        """
        address = await self.find_address(state, within_s=_ADDRESS_WAIT_S)
        if not address:
            raise TransientError(f"container {state.vmid} has no address after {_ADDRESS_WAIT_S:.0f} s")
        return address

    async def find_address(self, state: AppState, *, within_s: float) -> str:
        """The container's address as soon as it has one; empty when it has none within `within_s` seconds."""
        loop = asyncio.get_running_loop()
        end, delays = loop.time() + within_s, growing_delays(_POLL_S)
        while loop.time() < end:
            container = await self.find(state)
            if container is not None and container.address:
                return container.address
            await asyncio.sleep(next(delays))
        return ""
