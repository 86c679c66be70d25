"""A Proxmox node as somebody with root's shell on it sees it: `pct`, /etc/pve, its own files."""

import asyncio
import shlex

from tests.pvesim.guest.commands.options import split_options
from tests.pvesim.guest.filesystem import DIRECTORY, Entry, FileSystem, FsError
from tests.pvesim.guest.guest import Guest
from tests.pvesim.guest.machine import PATH, Machine, Process, command
from tests.pvesim.guest.node_archives import read_archive
from tests.pvesim.guest.node_containers import NodeContainer, NodeFiles, NodeShell
from tests.pvesim.guest.streams import Sink, Source
from tests.pvesim.guest.tty import Tty

MISSING = 2
REFUSED = 255
DIRECTORIES = "/bin /dev /etc /etc/pve /etc/pve/lxc /etc/pve/nodes /home /mnt /opt /proc /root /run /tmp /usr /usr/bin /var /var/lib /var/lib/vz /var/tmp"
PACKAGES = frozenset(
    {
        "bash",
        "dash",
        "coreutils",
        "iproute2",
        "systemd",
        "wget",
        "curl",
        "procps",
        "pve-container",
        "pve-manager",
        "tar",
        "gzip",
    }
)


class Node(Machine):
    """A node: runs command lines, each recorded with what it became."""

    flavour = "pve"

    def __init__(self, shell: NodeShell) -> None:
        base = dict.fromkeys(DIRECTORIES.split(), DIRECTORY)
        base["/etc/os-release"] = Entry(
            "f", b'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nID=debian\nVERSION_ID="13"\n'
        )
        fs = FileSystem(base, generated=NodeFiles(shell))
        super().__init__(fs, hostname=shell.name, packages=set(PACKAGES))
        self.shell = shell
        self.key = f"node/{shell.name}"

    def login_env(self) -> dict[str, str]:
        return {"PATH": PATH, "HOME": "/root", "USER": "root", "SHELL": "/bin/bash"}

    async def spawn(self, process: Process) -> int | None:
        """Run a process and record it."""
        process.world.record(self.key, process.argv, raw=shlex.join(process.argv))
        if process.name == "tar" and process.args:
            archive = self.shell.find_archive(process.args[-1])
            if archive is not None:
                return await read_archive(process, archive)
        return await super().spawn(process)

    async def run_line(
        self, line: str, *, stdin: Source, stdout: Sink, stderr: Sink, terminal: Tty | None = None
    ) -> int:
        """Run a command line as root's login shell does; returns its exit code."""
        world = self.shell.world
        world.record(self.key, ("bash", "-c", line), raw=line)
        process = Process(
            self, world, ["bash", "-c", line], self.login_env(), "/root", stdin, stdout, stderr, terminal
        )
        if fault := world.take_fault("command_hang", self.key, subject=line):
            await asyncio.sleep(fault.seconds)
        if fault := world.take_fault("command_fail", self.key, subject=line):
            return process.complain(fault.text or "failed", fault.exit_code)
        return await super().spawn(process) or 0


def _node(process: Process) -> Node:
    assert isinstance(process.machine, Node)
    return process.machine


class PctError(Exception):
    """`pct` refuses, with an exit code."""

    def __init__(self, text: str, code: int = REFUSED) -> None:
        super().__init__(text)
        self.code = code


def _get_container(node: Node, word: str) -> NodeContainer:
    if not word.isdigit():
        raise PctError(
            f"400 Parameter verification failed.\nvmid: type check ('integer') failed - got '{word}'"
        )
    found = node.shell.find_container(int(word))
    if found is None:
        raise PctError(
            f"Configuration file 'nodes/{node.shell.name}/lxc/{word}.conf' does not exist", MISSING
        )
    return found


def _get_running(node: Node, word: str) -> Guest:
    found = _get_container(node, word)
    guest = node.shell.find_guest(found.vmid)
    if found.status != "running" or guest is None:
        raise PctError(f"container '{found.vmid}' not running!")
    return guest


@command("pct", packages=("pve-container",))
async def run_pct(process: Process) -> int:
    node, args = _node(process), process.args
    actions = {
        "exec": _exec_inside,
        "push": _push_file,
        "pull": _pull_file,
        "status": _show_status,
        "config": _show_config,
        "list": _list_all,
        "unlock": _unlock,
    }
    if not args or args[0] not in actions:
        name = args[0] if args else ""
        return process.complain(
            f"ERROR: unknown command 'pct {name}'\nUSAGE: pct <COMMAND> [ARGS] [OPTIONS]", REFUSED
        )
    try:
        return await actions[args[0]](process, node, args[1:])
    except PctError as error:
        return process.complain(str(error), error.code)


def _take_operands(words: list[str], count: int, *, usage: str) -> tuple[dict[str, str], list[str]]:
    options, operands = split_options(_double_dashes(words), valued=("--perms", "--user", "--group"))
    if len(operands) != count:
        raise PctError(f"400 {'not enough' if len(operands) < count else 'too many'} arguments\npct {usage}")
    return options, operands


def _double_dashes(words: list[str]) -> list[str]:
    return [f"-{w}" if w in ("-perms", "-user", "-group") else w for w in words]


async def _exec_inside(process: Process, node: Node, words: list[str]) -> int:
    before, after = (
        (words[: words.index("--")], words[words.index("--") + 1 :]) if "--" in words else (words, [])
    )
    wrong = next((w for w in before if w.startswith("-") and not w.startswith("--keep-env")), None)
    if wrong:
        raise PctError(
            f"Unknown option: {wrong.lstrip('-')}\n400 unable to parse option\npct exec <vmid> [<extra-args>] [OPTIONS]"
        )
    plain = [w for w in before if not w.startswith("--keep-env")]
    argv = [*plain[1:], *after]
    if not plain or not argv:
        raise PctError("400 not enough arguments\npct exec <vmid> [<extra-args>] [OPTIONS]")
    guest = _get_running(node, plain[0])
    return await guest.stream(
        argv,
        stdin=process.stdin,
        stdout=process.stdout,
        stderr=process.stderr,
        world=process.world,
        terminal=process.terminal,
    )


def _read_perms(text: str) -> int:
    try:
        return int(text, 16 if text.startswith("0x") else 8)
    except ValueError as error:
        raise PctError(
            f"400 Parameter verification failed.\nperms: value does not look like a valid octal number - '{text}'"
        ) from error


async def _push_file(process: Process, node: Node, words: list[str]) -> int:
    options, (vmid, source, target) = _take_operands(
        words, 3, usage="push <vmid> <file> <destination> [OPTIONS]"
    )
    guest = _get_running(node, vmid)
    try:
        data = node.fs.read(process.path(source))
    except FsError as error:
        raise PctError(f"failed to open file: {source}: {error}", MISSING) from error
    mode = _read_perms(options.get("--perms") or "0644")
    try:
        guest.fs.write(target if target.startswith("/") else f"/{target}", data, mode=mode)
    except FsError as error:
        raise PctError(f"failed to create file: {target}: {error}", MISSING) from error
    owner = {"uid": options.get("--user"), "gid": options.get("--group")}
    guest.fs.change(target, **{name: _find_owner(value) for name, value in owner.items()})
    process.world.record(guest.place.key, ("push", target), raw=f"pct push {vmid} {source} {target}")
    await process.world.settle_guest(guest)
    return 0


def _find_owner(value: str | None) -> int | None:
    if not value:
        return None
    return int(value) if value.isdigit() else {"root": 0, "www-data": 33}.get(value, 65534)


async def _pull_file(process: Process, node: Node, words: list[str]) -> int:
    options, (vmid, source, target) = _take_operands(
        words, 3, usage="pull <vmid> <path> <destination> [OPTIONS]"
    )
    guest = _get_running(node, vmid)
    try:
        data = guest.fs.read(source if source.startswith("/") else f"/{source}")
    except FsError as error:
        raise PctError(f"failed to open {source}: {error}", MISSING) from error
    node.fs.write(process.path(target), data, mode=_read_perms(options.get("--perms") or "0644"))
    return 0


async def _unlock(process: Process, node: Node, words: list[str]) -> int:
    _, (word,) = _take_operands(words, 1, usage="unlock <vmid>")
    node.shell.unlock(_get_container(node, word).vmid)
    return 0


async def _show_status(process: Process, node: Node, words: list[str]) -> int:
    return process.say(f"status: {_get_container(node, words[0] if words else '').status}")


async def _show_config(process: Process, node: Node, words: list[str]) -> int:
    return process.say(_get_container(node, words[0] if words else "").config, end="")


async def _list_all(process: Process, node: Node, words: list[str]) -> int:
    containers = sorted(node.shell.list_containers(), key=lambda one: one.vmid)
    if containers:
        process.say(f"{'VMID':<10} {'Status':<10} {'Lock':<12} {'Name':<20}")
    for one in containers:
        process.say(f"{one.vmid:<10} {one.status:<10} {one.lock:<12} {one.name:<20}")
    return 0


@command("pveversion", packages=("pve-manager",))
async def show_version(process: Process) -> int:
    return process.say(
        f"pve-manager/{_node(process).shell.version}/3a8e4f1c2b7d9e60 (running kernel: 6.14.11-4-pve)"
    )
