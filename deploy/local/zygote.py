"""`python -m deploy.local.zygote module…`: imports modules, and forks a process for each order it gets.

Eight processes that import the same take eight times two seconds of CPU and 45 MiB; forks share both. Orders come as
lines of JSON on standard input; standard output says what became of them: `{"number", "pid"}` when one began, with
`status` when it has ended. It has no thread, no socket and no database when it forks.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import runpy
import select
import signal
import sys
from pathlib import Path
from typing import Any

from setproctitle import setproctitle

_PR_SET_PDEATHSIG = 1
_LONGEST_READ = 1 << 20
_MALLOC_STEP = 16  # bytes by which the sizes of malloc's chunks differ
_LARGEST_GAP = 64 * 1024  # bytes; a page is copied for small chunks, large ones need as many pages anywhere
_MOST_BYTES = 16 << 20  # ends the search where malloc does not allocate upwards, as in glibc
_BEHIND_GAPS = 100 * 1024  # bytes; below 128 KiB, from which on malloc maps pages of their own


def main() -> None:
    """Fork until standard input ends; in a fork, become what was ordered."""
    for name in sys.argv[1:]:
        importlib.import_module(name)
    gc.collect()
    _fill_gaps()
    gc.freeze()  # or each fork would copy the pages that its collector looks through
    order = _Zygote().fork_orders()
    if order is not None:
        become(order)


def _fill_gaps() -> None:
    """Allocate the free chunks among what was imported, for good, so that forks allocate from pages of their own.

    The gaps are 1 MiB in all, but each chunk that a fork takes from them copies a page of 4 KiB: 3.7 MiB in each process.
    """
    libc = ctypes.CDLL(None)
    malloc, free = libc.malloc, libc.free
    malloc.restype, malloc.argtypes, free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
    left = _MOST_BYTES
    for size in range(_LARGEST_GAP, 0, -_MALLOC_STEP):
        end = malloc(_BEHIND_GAPS)  # no gap is that large, so this is behind them all
        while (chunk := malloc(size)) < end and left > 0:
            left -= size
        free(chunk)
        free(end)


class _Zygote:
    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self._unread = b""
        self._wake, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def fork_orders(self) -> dict[str, Any] | None:
        """The order, in a fork; None in the zygote, when there are none any more."""
        while True:
            ready, _, _ = select.select([0, self._wake], [], [])
            if self._wake in ready:
                os.read(self._wake, _LONGEST_READ)
                self._reap()
            if 0 not in ready:
                continue
            read = os.read(0, _LONGEST_READ)
            if not read:
                return None
            *lines, self._unread = (self._unread + read).split(b"\n")
            for line in lines:
                order = json.loads(line)
                if "signal" in order:
                    self._signal(order)
                elif self._fork(order):
                    return dict(order)

    def _fork(self, order: dict[str, Any]) -> bool:
        """Whether this is the fork."""
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            _die_with(parent)
            return True
        self._numbers[pid] = order["number"]
        _say(number=order["number"], pid=pid)
        return False

    def _signal(self, order: dict[str, Any]) -> None:
        """Nobody else can have got the pid: it is reaped here."""
        for pid, number in self._numbers.items():
            if number == order["number"]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, order["signal"])

    def _reap(self) -> None:
        while self._numbers:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            _say(number=self._numbers.pop(pid), status=os.waitstatus_to_exitcode(status))


def become(order: dict[str, Any]) -> None:
    """Run a module as `python -m` would: in a session, with an environment and a log of its own."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for target, file, mode in ((0, os.devnull, os.O_RDONLY), (1, order["log"], os.O_WRONLY | os.O_APPEND)):
        opened = os.open(file, mode)
        os.dup2(opened, target)
        os.close(opened)
    os.dup2(1, 2)
    module, *arguments = order["arguments"]
    sys.argv = [module, *arguments]
    setproctitle(" ".join((sys.executable, "-m", *sys.argv)))  # what ps and pgrep -f find it by
    os.environ.clear()
    os.environ.update(order["environment"])
    with contextlib.suppress(OSError):  # /proc may be read-only, or not there: it is a name only
        Path("/proc/self/comm").write_text(order["name"], encoding="utf-8")  # and top
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _die_with(parent: int) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _say(**fields: int) -> None:
    os.write(1, json.dumps(fields).encode() + b"\n")


if __name__ == "__main__":
    main()
