"""A process that dies at a chosen write to its database or call of another service, outside of any operation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.failpoints.platform import Platform


class KilledError(Exception):
    """The process is dead; nothing in it may handle that."""


class Killer:
    """Counts what a process does to databases and services, and ends it before or after the chosen one.

    Attributes:
        is_dead: whether the chosen one was reached.
    """

    def __init__(self, kill_at: int) -> None:
        self._kill_at = kill_at
        self._count = 0
        self.is_dead = False

    def watch(self, function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """Count the beginnings and ends of a function."""

        async def watched(*args: Any, **options: Any) -> Any:
            self._pass()
            result = await function(*args, **options)
            self._pass()
            return result

        return watched

    def _pass(self) -> None:
        if self._count == self._kill_at:
            self.is_dead = True
            raise KilledError
        self._count += 1


@contextmanager
def killing(platform: Platform, kill_at: int) -> Iterator[Killer]:
    """Let what is done within the context die in backups; afterwards another process has its place."""
    killer, database, clients = Killer(kill_at), platform.databases["backups"], platform.clients
    write, call = database.write, clients.call
    database.write = killer.watch(write)  # type: ignore[method-assign, assignment]
    clients.call = killer.watch(call)  # type: ignore[method-assign, assignment]
    try:
        yield killer
    except KilledError:
        pass
    finally:
        database.write = write  # type: ignore[method-assign]
        clients.call = call  # type: ignore[method-assign]
