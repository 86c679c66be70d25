"""The shell behind termproxy: a terminal with an interactive shell on it."""

import asyncio
import hmac

from tests.pvesim.guest.commands.shells import make_shell
from tests.pvesim.guest.guest import Guest
from tests.pvesim.guest.interactive import run_interactive
from tests.pvesim.guest.machine import Process
from tests.pvesim.guest.streams import CallSink
from tests.pvesim.guest.tty import Output, Tty
from tests.pvesim.guest.world import World


class Console(Tty):
    """One container's console. Everybody attached sees the same shell, as with Proxmox's dtach.

    With `login` the console asks for name and password first (`cmode=tty`) instead of being root's shell
    (`cmode=shell`). What is typed in the first `attach_s` seconds of a shell is echoed and lost:
    lxc-attach discards pending input when it sets its terminal.
    """

    def __init__(self, guest: Guest, world: World, *, login: bool = False, attach_s: float = 0) -> None:
        super().__init__()
        self.guest = guest
        self.world = world
        self._attach_s = attach_s
        self._discards = False
        self._login = login
        self._session: asyncio.Task[None] | None = None

    def attach(self, output: Output) -> None:
        """Send what the terminal shows to `output` too; starts the shell when none runs."""
        super().attach(output)
        if self._session is None or self._session.done():
            self._discards = self._attach_s > 0
            self._session = asyncio.get_running_loop().create_task(self._run_session())

    async def close(self) -> None:
        """End the shell and what runs in it (the container stops)."""
        tasks = [task for task in (*self.foreground, self._session) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._outputs.clear()

    async def feed(self, data: bytes) -> None:
        """Take input as typed or pasted."""
        if self._discards:
            self.show(data)
        else:
            await super().feed(data)

    async def _run_session(self) -> None:
        if self._discards:
            await asyncio.sleep(self._attach_s)
            self._discards = False
        while self._login and not await self._log_in():
            self.send(b"\r\nLogin incorrect\r\n")
        sink = CallSink(self.show)
        env = {**self.guest.login_env(), "TERM": "xterm-256color", "USER": "root", "SHELL": "/bin/sh"}
        name = "bash" if "bash" in self.guest.packages else "sh"
        process = Process(self.guest, self.world, [name], env, "/root", self, sink, sink, terminal=self)
        await run_interactive(process, make_shell(process, name=name, arguments=[]))

    async def _log_in(self) -> bool:
        self.send(f"\r\n{self.guest.hostname} login: ".encode())
        name = (await self.read_line()).strip()
        self.send(b"Password: ")
        self.echo = False
        password = (await self.read_line()).strip()
        self.echo = True
        self.send(b"\r\n")
        good = self.guest.password.encode()
        return name == b"root" and bool(good) and hmac.compare_digest(good, password)
