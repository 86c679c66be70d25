"""The niceness of the threads that hash passwords."""

from __future__ import annotations

import os
import threading

from argon2 import PasswordHasher

from services.auth.identity.password_hasher import Argon2Hasher


async def read_niceness() -> int:
    hasher = Argon2Hasher(1, Looking())
    try:
        return int(await hasher.hash("x"))
    finally:
        hasher.close()


class Looking(PasswordHasher):
    """Answers with the niceness of the thread that hashes."""

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        return str(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
