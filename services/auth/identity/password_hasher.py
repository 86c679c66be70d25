"""Argon2id, a few passwords at a time, outside the event loop; and Django's PBKDF2, until its owner signs in."""

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

_MAX_WAITING = 200
_MAX_WAIT_S = 10.0
_DJANGO = "pbkdf2_sha256$"
# How much nicer than the process: with more, a busy machine would starve those who sign in. 19 is the kernel's most.
_NICER_BY, _NICEST = 5, 19
_MAX_ITERATIONS = 10_000_000  # some seconds; Django 5 makes 870,000


class Argon2Hasher:
    """Hashes with Argon2id; implements the domain's `PasswordHasher`.

    Args:
        threads: how many at once; each takes 64 MiB with the library's defaults.
        hasher: with other parameters than the library's defaults.
    """

    def __init__(self, threads: int = 2, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="argon2", initializer=_give_way)
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


def _give_way() -> None:
    """Let everything else run before this thread and those that Argon2 starts of it: a sign-in can wait, reads cannot.

    Relative to the niceness that the process has: nobody without CAP_SYS_NICE may lower it. Where it cannot be set,
    passwords are hashed all the same.
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
    """Whether a password is that of a hash as Django writes it: pbkdf2_sha256$iterations$salt$base64."""
    try:
        _, count, salt, encoded = password_hash.split("$")
        iterations, expected = int(count), base64.b64decode(encoded, validate=True)
    except ValueError:
        return False
    if not 0 < iterations <= _MAX_ITERATIONS:
        return False
    found = hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), iterations)
    return hmac.compare_digest(found, expected)
