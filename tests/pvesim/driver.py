"""Drives the model's work in real time, saves the state, moves the listeners."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from tests.pvesim.model.cluster import Cluster
from tests.pvesim.model.entities import Task
from tests.pvesim.model.errors import ApiError, TaskFailedError
from tests.pvesim.model.work import Job, Pause, Share, interrupt
from tests.pvesim.store import StateStore

SAVE_SECONDS = 0.03
log = logging.getLogger(__name__)


class Driver:
    """Runs the tasks of one cluster at a configured speed.

    `task_seconds` is how long a task takes; 0 runs it at once, though still after the answer.
    `settle` is awaited after every part of a task, before the task may end.
    `meddle` may hold or fail a task about to start (faults on demand).
    """

    def __init__(
        self,
        cluster: Cluster,
        store: StateStore,
        *,
        task_seconds: float,
        settle: Callable[[], Awaitable[None]],
        meddle: Callable[[Task], Awaitable[None]],
    ) -> None:
        self._cluster = cluster
        self._store = store
        self._task_seconds = task_seconds
        self.settle = settle
        self._meddle = meddle
        self._running: dict[str, asyncio.Task[None]] = {}
        self._saving: asyncio.TimerHandle | None = None

    def kick(self) -> None:
        """Start what the model has started since the last time, and see to saving."""
        jobs, self._cluster.started = self._cluster.started, []
        for job in jobs:
            self._running[job.task.upid] = asyncio.get_running_loop().create_task(self._run(job))
        self._interrupt()
        if self._cluster.changed and self._saving is None:
            self._saving = asyncio.get_running_loop().call_later(SAVE_SECONDS, self.save)

    def save(self) -> None:
        """Write what changed, now."""
        if self._saving is not None:
            self._saving.cancel()
            self._saving = None
        self._store.save(self._cluster)

    def _interrupt(self) -> None:
        stopped, self._cluster.interrupted = self._cluster.interrupted, set()
        for upid in stopped:
            running = self._running.get(upid)
            if running is not None:
                running.cancel()

    async def _run(self, job: Job) -> None:
        status = "OK"
        try:
            await self._drive(job)
        except TaskFailedError as error:
            status = str(error)
        except ApiError as error:
            status = error.reason
        except asyncio.CancelledError:
            status = interrupt(job.work, "interrupted by signal")
        except Exception as error:
            log.exception("task_crashed %s", job.task.upid)
            status = f"internal error of the simulator: {error}"
        await self.settle()
        self._cluster.finish_task(job.task, status)
        self._running.pop(job.task.upid, None)
        self.kick()

    async def _drive(self, job: Job) -> None:
        await asyncio.sleep(0)
        meddled = False
        for pause in job.work:
            await self.settle()
            self._cluster.touch("tasks", job.task.upid)
            self.kick()
            if not meddled:  # what it has begun is saved by then: it may be killed while it hangs
                meddled = True
                await self._spoil(job)
            await asyncio.sleep(self._measure(pause))

    async def _spoil(self, job: Job) -> None:
        """Let a fault hold or fail a task once it has begun."""
        try:
            await self._meddle(job.task)
        except TaskFailedError as error:
            raise TaskFailedError(interrupt(job.work, str(error))) from error

    def _measure(self, pause: Pause) -> float:
        return pause.part * self._task_seconds if isinstance(pause, Share) else pause.seconds

    async def close(self) -> None:
        """Stop driving; what runs is ended by `recover_tasks` at the next start."""
        for running in list(self._running.values()):
            running.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)
        self.save()
        self._store.close()
