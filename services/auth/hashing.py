"""Argon2id, a few passwords at a time, outside the event loop."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from services.auth.domain.errors import TooManyAttemptsError

_MAX_WAITING = 200
_MAX_WAIT_S = 10.0


class Argon2Hasher:
    """Hashes with Argon2id; implements the domain's `PasswordHasher`.

    Args:
        threads: how many at once; each takes 64 MiB with the library's defaults.
        hasher: with other parameters than the library's defaults.
    """

    def __init__(self, threads: int = 2, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="argon2")
        self._slots = asyncio.Semaphore(threads)
        self._waiting = 0
        self._dummy = self._hasher.hash(secrets.token_urlsafe(32))

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """See `PasswordHasher.slot`."""
        await self._acquire()
        try:
            yield
        finally:
            self._slots.release()

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """See `PasswordHasher.verify`."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._verify, password_hash, password)

    async def hash(self, password: str) -> str:
        """See `PasswordHasher.hash`."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._hasher.hash, password)

    def is_outdated(self, password_hash: str) -> bool:
        """See `PasswordHasher.is_outdated`."""
        return self._hasher.check_needs_rehash(password_hash)

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _acquire(self) -> None:
        if self._waiting >= _MAX_WAITING:
            raise TooManyAttemptsError("Too many sign-ins at once; try again in a moment", retry_after=2)
        self._waiting += 1
        try:
            await asyncio.wait_for(self._slots.acquire(), _MAX_WAIT_S)
        except TimeoutError as error:
            raise TooManyAttemptsError(
                "Too many sign-ins at once; try again in a moment", retry_after=5
            ) from error
        finally:
            self._waiting -= 1

    def _verify(self, password_hash: str | None, password: str) -> bool:
        try:
            is_right = self._hasher.verify(password_hash or self._dummy, password)
        except (VerificationError, InvalidHashError):
            return False
        return is_right and password_hash is not None
