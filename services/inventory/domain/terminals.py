"""Terminals in containers: their size, and Protocols of what opens them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from services.inventory.domain.containers import View

LEASE_S = 30.0  # of a shared console; its holder renews it three times as often, so that one lost renewal does no harm
_MOST = 1000  # characters; more than any screen has


@dataclass(frozen=True)
class ScreenSize:
    """Size of a terminal in characters."""

    columns: int = 80
    rows: int = 24

    def change(self, columns: int, rows: int) -> ScreenSize:
        """Return the size with other columns and rows; 0 leaves one as it is."""
        return ScreenSize(min(columns or self.columns, _MOST), min(rows or self.rows, _MOST))


@dataclass(frozen=True)
class Keystrokes:
    """Input of a terminal: what was typed, and its new columns and rows; 0: as before."""

    data: bytes = field(default=b"", repr=False)
    columns: int = 0
    rows: int = 0


@dataclass(frozen=True)
class ScreenOutput:
    """Output of a terminal.

    Attributes:
        mode: in the first piece, which has no data.
        exit_status: of the shell; in the last piece.
    """

    data: bytes = field(default=b"", repr=False)
    mode: str = ""
    exit_status: int | None = None


class Terminal(Protocol):
    """An open terminal with a shell on it."""

    @property
    def mode(self) -> str:
        """Route into the container: ssh, or console where the shell is shared."""

    async def read(self) -> bytes:
        """Return what it shows next; empty when the shell has ended.

        Raises:
            HostUnreachableError: the connection broke.
        """

    async def write(self, data: bytes) -> None:
        """Type; waits while the container does not read."""

    async def resize(self, size: ScreenSize) -> None:
        """Set the size."""

    async def find_exit_status(self) -> int:
        """Return the exit status of the shell that has ended; 255 where it is not known."""

    async def close(self) -> None:
        """End the shell, and leave."""


class TerminalOpener(Protocol):
    """Opens terminals."""

    async def open_terminal(self, view: View, *, size: ScreenSize, is_busy: bool) -> Terminal:
        """Open a shell on a terminal in a running container; `is_busy`: an operation on it is under way.

        Raises:
            ExecUnavailableError: nothing leads into the container.
            TerminalBusyError: its console is shared, and used by an operation or another terminal.
            HostUnreachableError: the node does not answer.
        """


class ConsoleLeases(Protocol):
    """Leases of the shared consoles of containers."""

    async def acquire(self, host_id: int, vmid: int, *, holder: str) -> bool:
        """Lease a console, or extend the holder's lease; False while another holder has it."""

    async def release(self, host_id: int, vmid: int, *, holder: str) -> None:
        """End a holder's lease."""

    async def is_leased(self, host_id: int, vmid: int) -> bool:
        """Whether a terminal has a console."""
