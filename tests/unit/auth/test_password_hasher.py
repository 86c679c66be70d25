"""Argon2 in its threads, and signing keys."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

from services.auth.identity.password_hasher import Argon2Hasher
from services.auth.identity.signing_keys import make_signing_key
from services.common.core.clock import now
from tests.unit.auth.niceness import (
    Looking,  # noqa: F401 - fixtures
    read_niceness,
)

CHEAP = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


@pytest.fixture
def hasher() -> Iterator[Argon2Hasher]:
    made = Argon2Hasher(2, CHEAP)
    yield made
    made.close()


async def test_only_the_right_password_of_a_known_user_is_right(hasher: Argon2Hasher) -> None:
    password_hash = await hasher.hash("Correct-Horse-9")
    assert await hasher.verify(password_hash, "Correct-Horse-9")
    assert not await hasher.verify(password_hash, "correct-Horse-9")
    assert not await hasher.verify(None, "Correct-Horse-9")
    assert not await hasher.verify("no hash", "Correct-Horse-9")


async def test_a_hash_of_other_parameters_is_outdated(hasher: Argon2Hasher) -> None:
    assert hasher.is_outdated(PasswordHasher(time_cost=2, memory_cost=64, parallelism=1).hash("x"))
    assert not hasher.is_outdated(await hasher.hash("x"))


async def test_a_hash_of_django_is_verified_and_outdated(hasher: Argon2Hasher) -> None:
    password_hash = (
        "pbkdf2_sha256$4096$salt$xeR41ZKIyEGqUw22hFxMjZYok6ABzk4RpJY4c6qYE0o="  # a published vector
    )
    assert await hasher.verify(password_hash, "password")
    assert not await hasher.verify(password_hash, "Password")
    assert hasher.is_outdated(password_hash)


@pytest.mark.parametrize(
    "password_hash",
    [
        "pbkdf2_sha256$",
        "pbkdf2_sha256$x$s$aaaa",
        "pbkdf2_sha256$0$s$aaaa",
        "pbkdf2_sha256$99999999999$s$aaaa",
        "!",
    ],
)
async def test_a_damaged_hash_of_django_is_never_right(hasher: Argon2Hasher, password_hash: str) -> None:
    assert not await hasher.verify(password_hash, "")


async def test_no_more_than_the_threads_have_their_turn_at_once(hasher: Argon2Hasher) -> None:
    running = most = 0

    async def take_turn() -> None:
        nonlocal running, most
        async with hasher.slot():
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1

    await asyncio.gather(*(take_turn() for _ in range(10)))
    assert most == 2


async def test_passwords_give_way_to_everything_else_of_the_process() -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert await read_niceness() == min(own + 5, 19)


NICE = """
import asyncio, os, sys
from tests.unit.auth.niceness import read_niceness
os.setpriority(os.PRIO_PROCESS, 0, int(sys.argv[1]))
print(asyncio.run(read_niceness()))
"""


@pytest.mark.parametrize(("niceness", "wanted"), [(10, 15), (17, 19), (19, 19)])
def test_a_nice_process_hashes_passwords_without_any_privilege(niceness: int, wanted: int) -> None:
    if os.getpriority(os.PRIO_PROCESS, 0) > niceness:
        niceness, wanted = 19, 19  # the suite itself runs at that niceness, and may not lower it
    unprivileged = ["setpriv", "--bounding-set=-sys_nice", "--inh-caps=-sys_nice"]
    command = [
        *(unprivileged if os.geteuid() == 0 and shutil.which("setpriv") else []),
        sys.executable,
        "-c",
        NICE,
    ]
    done = subprocess.run([*command, str(niceness)], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout.strip(), done.returncode) == (str(wanted), 0), done.stderr


async def test_passwords_are_hashed_where_no_niceness_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> None:
        raise PermissionError("seccomp")

    monkeypatch.setattr(os, "setpriority", refuse)
    assert await read_niceness() == os.getpriority(os.PRIO_PROCESS, 0)


def test_the_id_of_a_key_comes_from_the_key() -> None:
    one, other = make_signing_key(now()), make_signing_key(now())
    assert one.kid != other.kid
    assert len(one.kid) == 43
    assert one.private is not None
    assert len(one.public) == 32
