"""The same cluster in memory, without sockets or waiting: for unit tests and fakes."""

import random
from collections.abc import Callable
from typing import Any

import tests.pvesim.api
from tests.pvesim.model.cluster import Cluster
from tests.pvesim.model.errors import ApiError, TaskFailedError
from tests.pvesim.model.guests import GuestMaker, HollowGuests
from tests.pvesim.model.router import Page, dispatch
from tests.pvesim.model.work import Job, Pause, Share, interrupt
from tests.pvesim.presets import fill

__all__ = ["InstantProxmox", "tests"]
ROOT = "root@pam"
START = 1_795_312_000.0


class InstantProxmox:
    """A cluster whose clock moves only when work waits.

    A task runs to its end within the request that starts it, unless `hold_tasks`
    is set: then `run_tasks` runs those that wait, side by side.
    """

    def __init__(
        self, preset: str = "demo", *, nodes: int = 3, seed: int = 1, guests: GuestMaker | None = None
    ) -> None:
        self.time = START
        self.hold_tasks = False
        self.outage: Any = None  # what clients in tests put between themselves and the cluster
        self.cluster = Cluster(
            guests=guests or HollowGuests(), clock=lambda: self.time, rng=random.Random(seed), first_vmid=9000
        )
        fill(self.cluster, preset=preset, nodes=nodes)

    def request(self, verb: str, path: str, params: dict[str, Any] | None = None, *, user: str = ROOT) -> Any:
        """Answer a request as the API does: the `data`, or an ApiError."""
        self.cluster.follow_shared()
        result = dispatch(self.cluster, verb=verb, path=path, user=user, params=params or {})
        if not self.hold_tasks:
            self.run_tasks()
        return result.items if isinstance(result, Page) else result

    def get(self, path: str, /, *, user: str = ROOT, **params: Any) -> Any:
        """GET."""
        return self.request("GET", path, _hyphenate(params), user=user)

    def post(self, path: str, /, *, user: str = ROOT, **params: Any) -> Any:
        """POST."""
        return self.request("POST", path, _hyphenate(params), user=user)

    def put(self, path: str, /, *, user: str = ROOT, **params: Any) -> Any:
        """PUT."""
        return self.request("PUT", path, _hyphenate(params), user=user)

    def delete(self, path: str, /, *, user: str = ROOT, **params: Any) -> Any:
        """DELETE."""
        return self.request("DELETE", path, _hyphenate(params), user=user)

    def run(self, verb: str, path: str, /, *, user: str = ROOT, **params: Any) -> str:
        """A request that starts a task: how the task ended."""
        upid = self.request(verb, path, _hyphenate(params), user=user)
        return str(self.cluster.tasks[upid].exitstatus)

    def run_tasks(self, *, until: Callable[[], bool] = lambda: False) -> None:
        """Drive everything that waits, part by part in turn, until all is done or `until` holds."""
        jobs = self._take()
        while jobs and not until():
            jobs = [job for job in jobs if self._advance(job)] + self._take()
        self.cluster.started = jobs + self.cluster.started

    def _take(self) -> list[Job]:
        jobs, self.cluster.started = self.cluster.started, []
        return jobs

    def _advance(self, job: Job) -> bool:
        """One part of a task's work; False when that was the last."""
        if job.task.upid in self.cluster.interrupted:
            self.cluster.interrupted.discard(job.task.upid)
            self.cluster.finish_task(job.task, interrupt(job.work, "interrupted by signal"))
            return False
        try:
            pause = next(job.work)
        except StopIteration:
            self.cluster.finish_task(job.task, "OK")
        except TaskFailedError as error:
            self.cluster.finish_task(job.task, str(error))
        except ApiError as error:
            self.cluster.finish_task(job.task, error.reason)
        else:
            self.time += _measure(pause)
            return True
        return False


def _measure(pause: Pause) -> float:
    return pause.part if isinstance(pause, Share) else pause.seconds


def _hyphenate(params: dict[str, Any]) -> dict[str, Any]:
    return {key.replace("_", "-"): value for key, value in params.items()}
