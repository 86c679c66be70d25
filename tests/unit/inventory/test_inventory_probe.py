"""Ports that are asked whether they answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from services.inventory.domain.access import Access
from services.inventory.domain.containers import View
from services.inventory.probes.ports import TcpPortProber
from services.inventory.proxmox.client import ProxmoxClient
from services.inventory.proxmox.consoles import Consoles
from services.inventory.proxmox.container_access import SshOrConsoleAccess
from services.inventory.proxmox.ssh import Shells


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204),
        (b"x" * 200_000, None),
        (b"SSH-2.0-x\r\n", None),
        (b"", None),
    ],
)
async def test_whatever_a_port_says_there_is_an_answer(said: bytes, status: int | None) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        probe = await TcpPortProber().probe("127.0.0.1", port, scheme="http", path="/")
    assert (probe.answered, probe.http_status) == (status is not None, status)


class Talker(SshOrConsoleAccess):
    """A way into a container whose programs do not stop to talk."""

    async def stream(
        self, view: View, argv: Sequence[str], *, stdin: bytes = b"", stall_s: float, timeout_s: float
    ) -> AsyncIterator[str | int]:
        for _ in range(100):
            yield "x" * 10_000
        yield 3


async def test_what_programs_in_containers_say_is_not_kept_without_end() -> None:
    client = ProxmoxClient(Access(1, "pve", "127.0.0.1", 1, "root@pam"))
    access = Talker(Shells(None), Consoles())  # type: ignore[arg-type]  # no key is asked for
    done = await access.run(View(client, "pve", 100, {}), ["ss"], timeout_s=1)
    client.close()
    assert (len(done.text), done.exit_code) == (256 * 1024, 3)
