"""The SSH server of a node."""

import asyncio
import hmac
from collections.abc import Mapping, Sequence
from pathlib import Path

import asyncssh

from tests.pvesim.guest.node import Node
from tests.pvesim.guest.node_containers import NodeShell
from tests.pvesim.guest.sftp import NodeSftp
from tests.pvesim.guest.streams import CallSink, Source
from tests.pvesim.guest.tty import Tty

CHUNK = 1 << 16
INTERRUPTED = 130


class SshSource:
    """Standard input that comes over a channel."""

    def __init__(self, reader: "asyncssh.SSHReader[bytes]") -> None:
        self._reader = reader

    async def read_line(self) -> bytes:
        return await self._reader.readline()

    async def read_all(self) -> bytes:
        return await self._reader.read()

    async def read_some(self, size: int) -> bytes:
        try:
            return await self._reader.readexactly(size)
        except asyncio.IncompleteReadError as error:
            return error.partial


class Login(asyncssh.SSHServer):
    """Lets users in by password or key."""

    def __init__(self, users: Mapping[str, str], keys: Sequence[str]) -> None:
        self._users = users
        self._keys = {asyncssh.import_public_key(line).export_public_key() for line in keys}

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        wanted = self._users.get(username)
        return wanted is not None and hmac.compare_digest(wanted.encode(), password.encode())

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
        """Forward to any address, as the SSH server of a node does unless that is forbidden."""
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username in self._users and key.export_public_key() in self._keys


class SshServer:
    """A running SSH server."""

    def __init__(self, acceptor: asyncssh.SSHAcceptor, node: Node, fingerprint: str) -> None:
        self._acceptor = acceptor
        self.node = node
        self.fingerprint = fingerprint

    @property
    def port(self) -> int:
        return self._acceptor.get_port()

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        self._acceptor.close()
        self.node.stop_jobs()
        await self._acceptor.wait_closed()


def load_host_key(directory: Path) -> asyncssh.SSHKey:
    """The host key kept in a directory; made when there is none."""
    path = directory / "ssh_host_ed25519_key"
    if path.exists():
        return asyncssh.read_private_key(path)
    directory.mkdir(parents=True, exist_ok=True)
    key = asyncssh.generate_private_key("ssh-ed25519", comment="pvesim")
    key.write_private_key(path)
    path.chmod(0o600)
    return key


async def serve_ssh(
    host: str,
    port: int,
    *,
    host_key_dir: Path | str,
    users: Mapping[str, str],
    node: NodeShell,
    authorized_keys: Sequence[str] = (),
) -> SshServer:
    """Serve a node's shell over SSH.

    `users` maps names to passwords, `authorized_keys` are lines of public keys good for any of them.
    Port 0 takes a free one. The host key is kept in `host_key_dir`.
    """
    machine = Node(node)
    key = load_host_key(Path(host_key_dir))

    async def handle(process: "asyncssh.SSHServerProcess[bytes]") -> None:
        await serve_process(machine, process)

    acceptor = await asyncssh.create_server(
        lambda: Login(users, authorized_keys),
        host,
        port,
        server_host_keys=[key],
        process_factory=handle,
        sftp_factory=lambda channel: NodeSftp(channel, machine.fs),
        allow_scp=True,
        line_editor=False,  # the terminal edits lines
        encoding=None,
        keepalive_interval=30,
    )
    return SshServer(acceptor, machine, key.get_fingerprint())


async def serve_process(node: Node, process: "asyncssh.SSHServerProcess[bytes]") -> None:
    """Run what a client asked for until it ends or the client leaves."""
    tty = Tty() if process.term_type is not None else None
    source: Source = tty or SshSource(process.stdin)
    stdout, stderr = CallSink(process.stdout.write), CallSink(process.stderr.write)
    if tty is not None:
        columns, rows, _, _ = process.term_size
        tty.resize(columns, rows)
        tty.attach(process.stdout.write)
        stdout = stderr = CallSink(tty.show)
    line = process.command
    if line is None:
        line = "bash" if tty is not None else (await source.read_all()).decode(errors="surrogateescape")
    work = asyncio.ensure_future(
        node.run_line(line, stdin=source, stdout=stdout, stderr=stderr, terminal=tty),
    )
    gone = asyncio.ensure_future(process.channel.wait_closed())
    typing = asyncio.ensure_future(_type(tty, process, work)) if tty is not None else None
    try:
        await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            process.exit(INTERRUPTED if work.cancelled() else work.result())
    finally:
        work.cancel()
        gone.cancel()
        if typing is not None:
            typing.cancel()


async def _type(tty: Tty, process: "asyncssh.SSHServerProcess[bytes]", work: "asyncio.Future[int]") -> None:
    """Hand on what a client types, and the sizes of its terminal."""
    assert isinstance(work, asyncio.Task)
    tty.foreground.append(work)  # until a shell reads, an interrupt ends the command itself
    while True:
        try:
            data = await process.stdin.read(CHUNK)
        except asyncssh.TerminalSizeChanged as change:
            tty.resize(change.width, change.height)
            continue
        except asyncssh.BreakReceived:
            continue
        if not data:
            return
        await tty.feed(data)
