"""Databases and clients whose calls run at once in the thread of the loop, for suites that make ten thousands of them.

Handing a call to a thread and its answer back costs more than a query of a small SQLite file, and on a busy machine
two waits for a processor. Where one test does one thing after another, nothing is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import sqlalchemy as sa

from services.common.db.database import Database
from services.common.db.queries import ThreadReader


class InlineExecutor(ThreadPoolExecutor):
    """Runs what is submitted before `submit` returns; it never starts a thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """See `Executor.submit`."""
        if self._shutdown:
            raise RuntimeError("cannot schedule new futures after shutdown")
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - raised where the future is awaited
            future.set_exception(error)
        return future


class InlineDatabase(Database):
    """A SQLite database that runs every function at once."""

    def __init__(self, engine: sa.Engine) -> None:
        super().__init__(engine, threads=1)
        self._threads = self._writers = InlineExecutor(1)
        self._reader = ThreadReader(engine, self._threads, limit=1)

    async def close(self) -> None:
        """See `Database.close`; there are no threads to wait for."""
        await self._reader.close()
        self.engine.dispose()
