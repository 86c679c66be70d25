"""Work that takes time: generators that yield how long the next part lasts."""

import inspect
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

from tests.pvesim.model.entities import Task
from tests.pvesim.model.errors import TaskFailedError


@dataclass(frozen=True, slots=True)
class Share:
    """A part (0 to 1) of the time a task is configured to take."""

    part: float


@dataclass(frozen=True, slots=True)
class Seconds:
    """A time that does not depend on the configured speed."""

    seconds: float


Pause = Share | Seconds
Work = Generator[Pause, None, None]
POLL = Seconds(0.05)
"""How often a held lock is looked at again."""


@dataclass
class Locks:
    """The locks that running tasks hold, by name."""

    holders: dict[str, str] = field(default_factory=dict)

    def wait(
        self, name: str, upid: str, *, limit: float, clock: Callable[[], float]
    ) -> Generator[Pause, None, bool]:
        """Take the lock within `limit` seconds; False says that it was not to be had."""
        end = clock() + limit
        while self.holders.get(name, upid) != upid:
            if clock() >= end:
                return False
            yield POLL
        self.holders[name] = upid
        return True

    def release(self, upid: str) -> None:
        """Give back everything that a task held."""
        for name in [name for name, holder in self.holders.items() if holder == upid]:
            del self.holders[name]


def interrupt(work: Work, reason: str) -> str:
    """Fail work where it is; it cleans up behind itself and gives the status it ends with.

    Work that has not begun is begun first: what was prepared for it has to be undone.
    """
    try:
        if inspect.getgeneratorstate(work) == inspect.GEN_CREATED:
            next(work)
        work.throw(TaskFailedError(reason))
        for _ in work:
            pass
    except StopIteration:
        return "OK"
    except TaskFailedError as error:
        return str(error)
    return "OK"


@dataclass
class Job:
    """A task and the work behind it, waiting to be driven."""

    task: Task
    work: Work
