"""Tasks in memory, and failures of RPCs that a test wants."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from services.clients.inventory.values import ContainerTask, Ref, Task, TaskProgress
from services.common.core.errors import (
    BusyError,
    DomainError,
    ForbiddenError,
    NotFoundError,
    UnavailableError,
)


class FakeTasks:
    """Tasks of one host.

    Attributes:
        broken: RPCs that are unavailable, with how often still, by name (`start_container`).
        failure: RPCs that are refused, by name.
        failing: kinds of tasks (vzdump) that end with an error, for `reason`.
        lost: kinds of tasks whose answer is lost once; `watch_task`, which is unavailable once; `task`, which Proxmox
            forgets once.
        started: kinds of the tasks that were begun.
        is_named: whether a running task's log names its archive.
    """

    def __init__(self) -> None:
        self.broken: dict[str, int] = {}
        self.failure: dict[str, DomainError] = {}
        self.failing: set[str] = set()
        self.lost: set[str] = set()
        self.reason = ""
        self.started: list[str] = []
        self.outcomes: dict[str, TaskProgress] = {}
        self.is_named = True

    def call(self, name: str) -> None:
        """Fail as the test wants the RPC `name` to."""
        if self.broken.get(name, 0) > 0:
            self.broken[name] -= 1
            raise UnavailableError(f"{name} did not work")
        if name in self.failure:
            raise self.failure[name]

    def lose(self, name: str) -> None:
        """Lose the answer of a task that was begun, once, if the test wants that."""
        if name in self.lost:
            self.lost.remove(name)
            raise UnavailableError(f"the answer of {name} was lost")

    def begin(self, kind: str, ref: Ref, *, result: str = "", failure: str = "") -> Task:
        """Begin a task; it fails for `failure`, or as the test wants all of its kind to."""
        self.started.append(kind)
        upid = f"UPID:{ref.node}:{len(self.outcomes):08X}:00000000:00000000:{kind}:{ref.vmid}:root@pam:"
        failure = failure or (f"{kind} broke" if kind in self.failing else "")
        self.outcomes[upid] = TaskProgress(
            done=True,
            succeeded=not failure,
            exit_status=failure or "OK",
            reason=self.reason if failure else "",
            result=result,
        )
        return Task(ref.host_id, ref.node, upid, result)

    async def watch_task(self, task: Task) -> AsyncIterator[TaskProgress]:
        self.lose("watch_task")
        outcome = self.outcomes.get(task.upid)
        if outcome is None or "task" in self.lost:
            self.lost.discard("task")
            raise NotFoundError(f"{task.node} knows no task {task.upid}")
        yield TaskProgress(result=outcome.result if self.is_named else "")
        yield outcome

    async def list_container_tasks(self, ref: Ref) -> Sequence[ContainerTask]:
        return ()

    async def stop_task(self, task: Task) -> None:
        return None


def busy(reason: str, message: str) -> BusyError:
    error = BusyError(message)
    error.reason = reason  # type: ignore[misc]  # as the wire brings it
    return error


def not_ours(ref: Ref, owner: str) -> ForbiddenError:
    error = ForbiddenError(f"container {ref.vmid} is not of {owner}")
    error.reason = "NOT_OURS"  # type: ignore[misc]  # as the wire brings it
    return error
