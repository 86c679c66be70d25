"""The shell of a console: woken up before anything is typed, or found to be missing."""

from __future__ import annotations

import asyncio

from services.inventory.domain.errors import ContainerStoppedError, ExecHungError, ExecUnavailableError
from services.inventory.proxmox.scripts import new_token
from services.inventory.proxmox.terminal import Screen
from services.inventory.proxmox.websocket import ConsoleSocket

# lxc-attach discards what arrives before it has set its terminal, some 20 ms after Proxmox says OK
_FIRST_REPEAT_S = 0.1
_LONGEST_REPEAT_S = 1.0  # later a shell is busy, and more input only fills its buffer
CLEAR_LINE = b"\x15"


async def wake_shell(socket: ConsoleSocket, vmid: int, *, patience_s: float) -> None:
    """Empty the line that somebody may have left, and type a command until the shell runs it.

    A new shell discards its first input, and half a line may be all that reaches it: the command has no quotes, so
    that no part of it leaves the shell waiting for the other one.

    Raises:
        ExecHungError: the shell runs nothing within `patience_s`.
    """
    token = new_token()
    line = CLEAR_LINE + f"unset HISTFILE; printf %s-%s.\\\\n {token} awake\n".encode()
    screen, loop = Screen(socket), asyncio.get_running_loop()
    end, delay = loop.time() + patience_s, _FIRST_REPEAT_S
    while (left := end - loop.time()) > 0:
        await socket.type(line)
        if await screen.shows(
            f"{token}-awake.".encode(),
            within_s=min(delay, left),
            given_up=lambda shown: _refuse_obstacle(shown, vmid),
        ):
            return
        delay = min(delay * 2, _LONGEST_REPEAT_S)
    raise ExecHungError(f"the shell of container {vmid} does not answer: another command runs")


def _refuse_obstacle(shown: bytes, vmid: int) -> None:
    """Refuse to wait for a shell that the terminal shows to be missing."""
    if b"is not running" in shown:
        raise ContainerStoppedError(f"container {vmid} does not run")
    if b"Password:" in shown or b"Login incorrect" in shown:
        raise login_needed(vmid)


def login_needed(vmid: int) -> ExecUnavailableError:
    """Build the refusal of a container whose console requires a login."""
    return ExecUnavailableError(
        f"the console of container {vmid} requires a login; set its console mode to shell "
        f"(`pct set {vmid} --cmode shell`) and restart it, or give the host SSH credentials"
    )
