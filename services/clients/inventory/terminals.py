"""Terminals in containers: values, and the Protocol of those who attach them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from typing import Protocol

from services.clients.inventory.values import Ref


@dataclass(frozen=True)
class TerminalSize:
    """Size of a terminal in characters; 0: as before."""

    columns: int = 0
    rows: int = 0


@dataclass(frozen=True)
class TerminalKeys:
    """Input of a terminal: what was typed, and its new size."""

    # Hidden in `repr`, which ends in logs: people type passwords.
    data: bytes = field(default=b"", repr=False)
    size: TerminalSize = TerminalSize()


@dataclass(frozen=True)
class TerminalPiece:
    """Output of a terminal.

    Attributes:
        mode: in the first piece, which has no data: ssh, or console where the shell is shared with the platform.
        exit_status: of the shell; in the last piece.
    """

    # Hidden as well: programs print keys and tokens.
    data: bytes = field(default=b"", repr=False)
    mode: str = ""
    exit_status: int | None = None


class Terminals(Protocol):
    """Terminals in containers."""

    def attach_terminal(
        self, ref: Ref, *, owner: str, size: TerminalSize, is_busy: bool, keys: AsyncIterator[TerminalKeys]
    ) -> AsyncGenerator[TerminalPiece, None]:
        """Open a shell on a terminal in a running container, and close it when the caller leaves.

        Args:
            ref: the container.
            owner: whose mark it carries.
            size: of the terminal at first.
            is_busy: an operation on the container is under way.
            keys: its input; where it ends the shell goes on until it ends or the caller leaves.

        Raises:
            PreconditionError: the container does not run, or nothing leads into it.
            BusyError: its console is shared, and an operation or another terminal uses it.
            UnavailableError: the host does not answer.
            Exception: what `keys` raised.
        """
