"""What the client of a Proxmox VE may send again, and what it must not."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.inventory.domain.access import Access
from services.inventory.domain.errors import (
    HostUnreachableError,
    LockTimeoutError,
    ProxmoxRefusedError,
    WriteUncertainError,
)
from services.inventory.proxmox.answers import Answer
from services.inventory.proxmox.client import ProxmoxClient
from services.inventory.proxmox.nodes import read_fingerprint
from services.inventory.proxmox.refusals import translate
from tests.pvesim.tls import ensure_certificate


@contextlib.contextmanager
def serve(folder: Path, treat: Callable[[ssl.SSLSocket], None]) -> Iterator[tuple[int, list[bytes]]]:
    """A TLS server that reads a request and treats its connection so; its port and what was asked."""
    context, _ = ensure_certificate(folder, ["pve"])
    asked: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:  # the end of the test
                return
            with (
                plain,
                contextlib.suppress(OSError),
                context.wrap_socket(plain, server_side=True) as connection,
            ):
                if line := connection.recv(65536).split(b"\r\n")[0]:
                    asked.append(line)
                    treat(connection)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1], asked
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def hang_up(connection: ssl.SSLSocket) -> None:
    """End the connection without a word, and without TLS's own goodbye."""
    socket.socket(fileno=connection.detach()).close()


def break_tls(connection: ssl.SSLSocket) -> None:
    """Answer with what is no TLS."""
    with socket.socket(fileno=connection.detach()) as plain:
        plain.sendall(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
        while plain.recv(65536):  # what is left unread would turn into a reset
            pass


async def open_client(port: int) -> ProxmoxClient:
    fingerprint = await read_fingerprint("127.0.0.1", port)
    access = Access(1, "pve", "127.0.0.1", port, "root@pam", fingerprint=fingerprint, token_id="root@pam!t")
    return ProxmoxClient(access, threads=1)


@pytest.mark.parametrize("treat", [hang_up, break_tls])
async def test_a_write_whose_connection_breaks_after_it_was_sent_is_never_sent_again(
    tmp_path: Path, treat: Callable[[ssl.SSLSocket], None]
) -> None:
    with serve(tmp_path, treat) as (port, asked):
        client = await open_client(port)
        asked.clear()
        with pytest.raises(WriteUncertainError, match="POST /nodes/pve/lxc"):
            await client.post("/nodes/pve/lxc", vmid=100)
        assert len(asked) == 1
        client.close()


async def test_a_write_to_nobody_is_unreachable_and_not_uncertain() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    client = ProxmoxClient(Access(1, "pve", "127.0.0.1", port, "root@pam", token_id="root@pam!t"), threads=1)
    with pytest.raises(HostUnreachableError, match="connection refused"):
        await client.post("/nodes/pve/lxc", vmid=100)
    client.close()


async def test_a_certificate_that_is_not_the_pinned_one_gets_no_request(tmp_path: Path) -> None:
    with serve(tmp_path, hang_up) as (port, asked):
        access = Access(1, "pve", "127.0.0.1", port, "root@pam", fingerprint="AB" * 32, token_id="root@pam!t")
        client = ProxmoxClient(access, threads=1)
        with pytest.raises(HostUnreachableError, match="not the pinned one"):
            await client.post("/nodes/pve/lxc", vmid=100)
        assert asked == []
        client.close()


@pytest.mark.parametrize(
    ("status", "reason", "method", "expected"),
    [
        (500, "can't lock file '/run/lock/lxc/pve-config-105.lock' - got timeout", "put", LockTimeoutError),
        (500, "cfs-lock 'file-user_cfg' error: got lock request timeout", "post", LockTimeoutError),
        (500, "command '/sbin/lvcreate -aly pve' failed: got timeout", "post", WriteUncertainError),
        (500, "command 'df' failed: got timeout", "get", ProxmoxRefusedError),
        (500, "CT 105 already running", "post", ProxmoxRefusedError),
        (595, "No route to host", "post", HostUnreachableError),
        (596, "Connection timed out", "post", WriteUncertainError),
        (596, "Connection timed out", "get", HostUnreachableError),
        (599, "Too many redirections", "post", WriteUncertainError),
    ],
)
def test_what_proxmox_answers_says_whether_it_did_anything(
    status: int, reason: str, method: str, expected: type[Exception]
) -> None:
    access = Access(1, "pve", "192.0.2.1", 8006, "root@pam", token_id="root@pam!t")
    error = translate(Answer(status, reason), access, method=method, path="/x")
    assert type(error) is expected
