"""A node answers over SSH as Proxmox does."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh
import pytest

from tests.pvesim.guest import Guest, NodeContainer, SshServer, World, serve_ssh

CONFIG = "arch: amd64\nhostname: ct1\nfeatures: nesting=1\n"


@dataclass
class OneNode:
    """A node with these containers."""

    world: World
    guests: dict[int, Guest] = field(default_factory=dict)
    name: str = "pve1"
    version: str = "9.2.11"
    unlocked: list[int] = field(default_factory=list)
    locks: set[str] = field(default_factory=set)

    def list_containers(self) -> Sequence[NodeContainer]:
        return [
            NodeContainer(vmid, guest.hostname, "running" if guest.running else "stopped", config=CONFIG)
            for vmid, guest in self.guests.items()
        ]

    def find_container(self, vmid: int) -> NodeContainer | None:
        return next((one for one in self.list_containers() if one.vmid == vmid), None)

    def unlock(self, vmid: int) -> None:
        self.unlocked.append(vmid)

    def find_guest(self, vmid: int) -> Guest | None:
        return self.guests.get(vmid)

    def find_volume_path(self, volid: str) -> str | None:
        return None

    def find_archive(self, path: str) -> None:
        return None


KEY = asyncssh.generate_private_key("ssh-ed25519")


@pytest.fixture
async def server(debian: Guest, world: World, tmp_path: Path) -> AsyncIterator[SshServer]:
    node = OneNode(world, {105: debian})
    stopped = debian.copy()
    stopped.shutdown()
    node.guests[106] = stopped
    running = await serve_ssh(
        "127.0.0.1",
        0,
        host_key_dir=tmp_path,
        users={"root": "secret123"},
        authorized_keys=[KEY.export_public_key().decode()],
        node=node,
    )
    yield running
    await running.close()


@pytest.fixture
async def client(server: SshServer) -> AsyncIterator[asyncssh.SSHClientConnection]:
    async with asyncssh.connect(
        "127.0.0.1",
        server.port,
        username="root",
        password="secret123",
        known_hosts=None,
        client_keys=None,
        config=None,
    ) as connection:
        yield connection


async def run(
    client: asyncssh.SSHClientConnection, line: str, stdin: bytes = b""
) -> tuple[int | None, bytes, bytes]:
    done = await client.run(line, input=stdin, encoding=None, timeout=10)
    assert isinstance(done.stdout, bytes)
    assert isinstance(done.stderr, bytes)
    return done.exit_status, done.stdout, done.stderr


async def test_a_key_lets_in_and_a_wrong_password_does_not(server: SshServer) -> None:
    async with asyncssh.connect(
        "127.0.0.1", server.port, username="root", client_keys=[KEY], known_hosts=None, config=None
    ) as connection:
        assert (await run(connection, "id -u"))[1] == b"0\n"
    with pytest.raises(asyncssh.PermissionDenied):
        await asyncssh.connect(
            "127.0.0.1",
            server.port,
            username="root",
            password="wrong",
            known_hosts=None,
            client_keys=None,
            config=None,
        )


async def test_exec_gives_output_and_exit_code(client: asyncssh.SSHClientConnection) -> None:
    assert await run(client, "pct exec 105 -- sh -c 'echo out; echo err >&2; exit 3'") == (
        3,
        b"out\n",
        b"err\n",
    )
    assert await run(client, "pct exec 105 hostname") == (0, b"ct1\n", b"")
    code, _, stderr = await run(client, "pct exec 105 ls -la")
    assert code == 255
    assert stderr.startswith(b"Unknown option: la\n400 unable to parse option")


async def test_stdin_goes_into_the_container(client: asyncssh.SSHClientConnection, debian: Guest) -> None:
    data = bytes(range(256)) * 500
    assert await run(client, "pct exec 105 -- tee /root/data", data) == (0, data, b"")
    assert debian.fs.read("/root/data") == data


@pytest.mark.parametrize(
    ("line", "code", "stderr"),
    [
        ("pct exec 1 -- true", 2, "Configuration file 'nodes/pve1/lxc/1.conf' does not exist\n"),
        ("pct exec 106 -- true", 255, "container '106' not running!\n"),
        ("pct unlock 7", 2, "Configuration file 'nodes/pve1/lxc/7.conf' does not exist\n"),
        ("pct status 7", 2, "Configuration file 'nodes/pve1/lxc/7.conf' does not exist\n"),
        ("cat /etc/pve/lxc/7.conf", 1, "cat: /etc/pve/lxc/7.conf: No such file or directory\n"),
        ("frobnicate", 127, "bash: line 1: frobnicate: command not found\n"),
    ],
)
async def test_refusals_are_worded_as_by_proxmox(
    client: asyncssh.SSHClientConnection, line: str, code: int, stderr: str
) -> None:
    assert await run(client, line) == (code, b"", stderr.encode())


async def test_the_node_tells_about_its_containers(client: asyncssh.SSHClientConnection) -> None:
    assert (await run(client, "pct status 105"))[1] == b"status: running\n"
    assert (await run(client, "pct status 106"))[1] == b"status: stopped\n"
    assert (await run(client, "cat /etc/pve/lxc/105.conf"))[1] == CONFIG.encode()
    assert (await run(client, "ls /etc/pve/lxc"))[1] == b"105.conf\n106.conf\n"
    assert (await run(client, "pveversion"))[1].startswith(b"pve-manager/9.2.11/")
    rows = (await run(client, "pct list"))[1].decode().splitlines()
    assert [row.split()[:2] for row in rows] == [["VMID", "Status"], ["105", "running"], ["106", "stopped"]]


async def test_push_and_pull_carry_files_with_modes(
    client: asyncssh.SSHClientConnection, debian: Guest
) -> None:
    line = (
        "f=$(mktemp) && cat > $f && pct push 105 $f /etc/secret --perms 0600 --user 33 --group 33; rm -f $f"
    )
    assert await run(client, line, b"\0secret\n") == (0, b"", b"")
    entry = debian.fs.get("/etc/secret")
    assert (entry.data, entry.mode, entry.uid, entry.gid) == (b"\0secret\n", 0o600, 33, 33)
    assert await run(client, "pct pull 105 /etc/secret /tmp/back && cat /tmp/back") == (0, b"\0secret\n", b"")
    assert (await run(client, "pct push 105 /tmp/none /x"))[0] == 2
    assert (await run(client, "pct push 105 /tmp/back /no/dir/x"))[0] == 2


def is_real_file(path: str) -> bool:
    return Path(path).exists()


async def test_files_go_to_the_node_by_sftp(
    client: asyncssh.SSHClientConnection, server: SshServer, tmp_path: Path
) -> None:
    local = tmp_path / "local.bin"
    local.write_bytes(bytes(range(256)) * 1000)
    async with client.start_sftp_client() as sftp:
        await sftp.put(str(local), "/tmp/staged")
        assert await sftp.exists("/tmp/staged")
        assert not await sftp.exists("/tmp/other")
        await sftp.get("/tmp/staged", str(tmp_path / "back.bin"))
        with pytest.raises(asyncssh.SFTPNoSuchFile):
            await sftp.put(str(local), "/no/dir/x")
    assert (tmp_path / "back.bin").read_bytes() == local.read_bytes()
    assert server.node.fs.read("/tmp/staged") == local.read_bytes()
    assert not is_real_file("/tmp/staged")


async def test_what_was_injected_is_on_record(client: asyncssh.SSHClientConnection, world: World) -> None:
    await run(client, "pct exec 105 -- cat '/etc/hostname'; touch /tmp/pwned")
    recorded = [entry["argv"] for entry in world.recorded("node/pve1")]
    assert ["touch", "/tmp/pwned"] in recorded
    assert ["cat", "/etc/hostname"] in [entry["argv"] for entry in world.recorded("c1/105")]


async def test_the_host_key_is_kept(server: SshServer, world: World, tmp_path: Path) -> None:
    again = await serve_ssh("127.0.0.1", 0, host_key_dir=tmp_path, users={}, node=OneNode(world))
    assert again.fingerprint == server.fingerprint
    await again.close()
