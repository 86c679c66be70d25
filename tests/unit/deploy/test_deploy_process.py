"""Child processes of a local stack: kept running, ended in time, never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from deploy.local.forking import Zygote
from deploy.local.process import Spec, Supervised
from deploy.local.specs import ROOT
from tests.e2e.stack import wait_until_gone

LIMIT_S = 300.0


async def wait_until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not holds():  # noqa: ASYNC110 - a process can only be looked at
            await asyncio.sleep(0.01)


def make_spec(code: str, on_line: Callable[[str], None] | None = None) -> Spec:
    return Spec("child", (sys.executable, "-c", textwrap.dedent(code)), dict(os.environ), on_line)


async def test_a_process_that_ends_is_started_again(tmp_path: Path) -> None:
    said: list[str] = []
    child = Supervised(make_spec("raise SystemExit(3)"), tmp_path, report=said.append)
    child.start()
    await wait_until(lambda: child.restarts >= 2)
    await child.stop(timeout=60)
    assert said[0] == "child ended with status 3; starting it again in 0.2 s"
    assert "in 0.4 s" in said[1]


async def test_the_reason_is_reported_from_the_second_end_on(tmp_path: Path) -> None:
    said: list[str] = []
    child = Supervised(make_spec("raise SystemExit('no disk')"), tmp_path, report=said.append)
    child.start()
    await wait_until(lambda: child.restarts >= 2)
    await child.stop(timeout=60)
    assert "no disk" not in said[0]
    assert said[1].endswith(f"in 0.4 s: no disk; see {tmp_path}/child.log")


async def test_a_killed_process_is_started_again_with_another_pid(tmp_path: Path) -> None:
    child = Supervised(make_spec("import time; time.sleep(60)"), tmp_path, report=lambda _: None)
    child.start()
    await wait_until(lambda: child.pid is not None)
    first = child.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await wait_until(lambda: child.pid not in {None, first})
    await child.stop(timeout=60)
    assert child.pid is None


async def test_what_it_says_is_logged_and_passed_on(tmp_path: Path) -> None:
    lines: list[str] = []
    child = Supervised(
        make_spec("print('ready', flush=True); import time; time.sleep(60)", lines.append),
        tmp_path,
        report=lambda _: None,
    )
    child.start()
    await wait_until(lambda: lines == ["ready\n"])
    await child.stop(timeout=60)
    assert (tmp_path / "child.log").read_text() == "ready\n"


async def test_who_does_not_end_in_time_is_killed(tmp_path: Path) -> None:
    lines: list[str] = []
    said: list[str] = []
    stubborn = """
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("ready", flush=True)
        time.sleep(60)
    """
    child = Supervised(make_spec(stubborn, lines.append), tmp_path, report=said.append)
    child.start()
    await wait_until(lambda: bool(lines))
    await child.stop(timeout=0.1)
    assert child.pid is None
    assert said == ["child did not end within 0.1 s and was killed"]


async def test_a_program_that_does_not_exist_is_reported(tmp_path: Path) -> None:
    said: list[str] = []
    child = Supervised(Spec("child", ("/nonexistent",), {}), tmp_path, report=said.append)
    child.start()
    await wait_until(lambda: bool(said))
    await child.stop(timeout=60)
    assert "No such file" in said[0]


def test_children_die_with_a_killed_parent(tmp_path: Path) -> None:
    parent = """
        import asyncio, os, sys
        from pathlib import Path
        from deploy.local.process import Spec, Supervised

        async def main():
            spec = Spec("child", (sys.executable, "-c", "import time; time.sleep(60)"), dict(os.environ))
            child = Supervised(spec, Path(sys.argv[1]), report=print)
            child.start()
            while child.pid is None:
                await asyncio.sleep(0.01)
            print(child.pid, flush=True)
            await asyncio.sleep(60)

        asyncio.run(main())
    """
    arguments = [sys.executable, "-c", textwrap.dedent(parent), str(tmp_path)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = psutil.Process(int(process.stdout.readline()))
        process.kill()
        process.wait(10)
    deadline = time.monotonic() + LIMIT_S
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


@pytest.fixture
async def zygote(tmp_path: Path) -> AsyncIterator[Zygote]:
    """It can fork a program that says who it is and ends on SIGTERM with status 7."""
    code = """
    import os, signal, sys, time
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
    print(sys.argv[1:], os.environ["NAME"], os.getsid(0) == os.getpid(), flush=True)
    time.sleep(60)
    """
    (tmp_path / "sleeper.py").write_text(textwrap.dedent(code))
    made = Zygote({**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"}, tmp_path)
    yield made
    await made.stop()


def make_fork(name: str) -> Spec:
    return Spec(name, (sys.executable, "-m", "sleeper", name), {"NAME": name.upper()})


async def test_a_fork_has_arguments_an_environment_a_log_and_a_status_of_its_own(
    zygote: Zygote, tmp_path: Path
) -> None:
    names = ("one", "two")
    children = [await zygote.spawn(make_fork(name), tmp_path) for name in names]
    logs = [tmp_path / f"{name}.log" for name in names]
    await wait_until(lambda: all(log.read_text().endswith("\n") for log in logs))
    assert [log.read_text() for log in logs] == ["['one'] ONE True\n", "['two'] TWO True\n"]
    shown = [psutil.Process(child.pid) for child in children]
    assert [one.name() for one in shown] == ["one", "two"]
    assert [" ".join(one.cmdline()).strip() for one in shown] == [
        f"{sys.executable} -m sleeper {name}" for name in names
    ]
    children[0].send_signal(signal.SIGTERM)
    children[1].send_signal(signal.SIGKILL)
    assert [await child.wait() for child in children] == [7, -signal.SIGKILL]


async def test_forks_end_with_the_process_that_was_forked_and_are_forked_again(
    zygote: Zygote, tmp_path: Path
) -> None:
    child = Supervised(make_fork("one"), tmp_path, report=lambda _: None, start=zygote.spawn)
    child.start()
    await wait_until(lambda: child.pid is not None)
    first, parent = child.pid, zygote.pid
    assert first is not None
    assert parent is not None
    os.kill(parent, signal.SIGKILL)
    await wait_until(lambda: child.pid not in {None, first})
    assert wait_until_gone([first], timeout=60) == []
    assert zygote.pid != parent
    await child.stop(timeout=60)
