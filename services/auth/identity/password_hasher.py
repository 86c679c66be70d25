"""Argon2id in a thread pool, a few passwords at a time. Django's PBKDF2 hashes are verified until their owner signs in."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import os
import secrets
import sys
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from services.auth.domain.errors import TooManyAttemptsError
from services.common.core.log import get_logger

log = get_logger()

_MAX_WAITING = 200  # sign-ins; at some twenty a second per thread the last waits for about `_MAX_WAIT_S`
_MAX_WAIT_S = 10.0  # below the deadlines of clients, so that they learn the reason
_DJANGO = "pbkdf2_sha256$"
# Added to the niceness of the process: with more, a busy machine would starve sign-ins. 19 is the maximum of the kernel.
_NICER_BY, _NICEST = 5, 19
_MAX_ITERATIONS = 10_000_000  # some seconds of CPU, above the 870,000 of Django 5: a bound for damaged rows


class Argon2Hasher:
    """Password hasher with Argon2id; implements `PasswordHasher`.

    Args:
        threads: passwords hashed at once; each takes 64 MiB with the library's defaults.
        hasher: replaces the library's default parameters.
    """

    def __init__(self, threads: int = 2, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="argon2", initializer=_lower_priority)
        self._slots = asyncio.Semaphore(threads)
        self._waiting = 0
        # Verified where there is no hash, so that unknown users take as long as known ones.
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
        return password_hash.startswith(_DJANGO) or self._hasher.check_needs_rehash(password_hash)

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
        if password_hash is not None and password_hash.startswith(_DJANGO):
            return _verify_django(password_hash, password)
        try:
            is_right = self._hasher.verify(password_hash or self._dummy, password)
        except (VerificationError, InvalidHashError):
            return False
        return is_right and password_hash is not None


def _lower_priority() -> None:
    """Raise the niceness of this thread and of those that Argon2 starts from it: a sign-in can wait, reads cannot.

    The value is relative to the niceness of the process, which only CAP_SYS_NICE may lower. Where it cannot be set,
    passwords are hashed with the priority of the process.
    """
    if sys.platform != "linux":  # elsewhere it would be the whole process
        return
    thread = threading.get_native_id()
    try:
        current = os.getpriority(os.PRIO_PROCESS, thread)
        os.setpriority(os.PRIO_PROCESS, thread, min(current + _NICER_BY, _NICEST))
    except OSError as error:
        log.warning("niceness_not_set", error=str(error))


def _verify_django(password_hash: str, password: str) -> bool:
    """Return whether a password matches a hash of Django: pbkdf2_sha256$iterations$salt$base64."""
    try:
        _, count, salt, encoded = password_hash.split("$")
        iterations, expected = int(count), base64.b64decode(encoded, validate=True)
    except ValueError:
        return False
    if not 0 < iterations <= _MAX_ITERATIONS:
        return False
    found = hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), iterations)
    return hmac.compare_digest(found, expected)
