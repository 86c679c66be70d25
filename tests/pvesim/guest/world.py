"""What the guests share: how long things take, what goes wrong on demand, what was run."""

import asyncio
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.pvesim.guest.guest import Guest

SECONDS: Mapping[str, float] = {
    "package_update": 3.0,
    "package_install": 12.0,
    "docker_daemon": 2.0,
    "docker_pull": 8.0,
    "container_start": 0.6,
    "app_start": 2.0,
    "container_stop": 1.0,
}
"""How long things take at scale 1, about as on a small server with a good line."""

FAULT_KINDS = frozenset(
    {
        "pull_not_found",
        "pull_rate_limited",
        "pull_unreachable",
        "pull_hang",
        "no_space",
        "runc_sysctl",
        "daemon_fails",
        "mirror_unreachable",
        "install_hang",
        "app_crash",
        "app_silent",
        "command_fail",
        "command_hang",
    },
)
HANG_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Completed:
    """How a command ended."""

    exit_code: int
    stdout: bytes = b""
    stderr: bytes = b""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A command that reached a node or a guest: its words, and the text it came as."""

    where: str
    argv: tuple[str, ...]
    raw: str
    at: float


@dataclass(slots=True)
class GuestFault:
    """Something that goes wrong inside guests.

    `where` and `subject` are regular expressions: the guest's key, and what it is about
    (an image, a package, a command line). `after` matching occasions pass unharmed,
    then `times` of them fail; None means every one.
    """

    kind: str
    where: str = ""
    subject: str = ""
    after: int = 0
    times: int | None = 1
    exit_code: int = 1
    text: str = ""
    seconds: float = HANG_SECONDS

    def __post_init__(self) -> None:
        if self.kind not in FAULT_KINDS:
            raise ValueError(f"unknown guest fault {self.kind!r}; known: {', '.join(sorted(FAULT_KINDS))}")

    def strike(self, where: str, subject: str) -> bool:
        """Whether this occasion fails; counts it."""
        if self.times == 0 or not re.search(self.where, where) or not re.search(self.subject, subject):
            return False
        if self.after > 0:
            self.after -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


Settle = Callable[["Guest"], Awaitable[None]]
Fault = Callable[[str, str, str], GuestFault | None]


@dataclass(slots=True)
class World:
    """One simulation's surroundings of all guests.

    `scale` multiplies every duration (0: nothing takes time). `settle` is awaited whenever a
    guest's listeners or files changed: the API side stores the guest and syncs its sockets there.
    `fault` may answer (kind, guest key, subject) with a fault of its own; `faults` come after it.
    """

    scale: float = 0.0
    seconds: dict[str, float] = field(default_factory=lambda: dict(SECONDS))
    faults: list[GuestFault] = field(default_factory=list)
    fault: Fault | None = None
    settle: Settle | None = None
    recorder: deque[Recorded] = field(default_factory=lambda: deque(maxlen=20_000))
    clock: Callable[[], float] = time.time

    def record(self, where: str, argv: Sequence[str], *, raw: str) -> None:
        """Remember a command that reached a node or a guest."""
        self.recorder.append(Recorded(where=where, argv=tuple(argv), raw=raw, at=self.clock()))

    def recorded(self, where: str = "") -> list[dict[str, Any]]:
        """What was run, oldest first, as plain data; of one place when `where` is given."""
        chosen = (entry for entry in self.recorder if not where or entry.where == where)
        return [{"where": e.where, "argv": list(e.argv), "raw": e.raw, "at": e.at} for e in chosen]

    def duration(self, what: str) -> float:
        """Seconds that `what` takes here."""
        return self.seconds[what] * self.scale

    async def spend(self, what: str) -> None:
        """Let the time of `what` go by."""
        await asyncio.sleep(self.duration(what))

    def take_fault(self, kind: str, where: str, *, subject: str = "") -> GuestFault | None:
        """The fault that strikes now, if any."""
        if self.fault and (found := self.fault(kind, where, subject)):
            return found
        return next((f for f in self.faults if f.kind == kind and f.strike(where, subject)), None)

    async def settle_guest(self, guest: "Guest") -> None:
        """Tell the API side that this guest changed."""
        if self.settle:
            await self.settle(guest)
