"""Inside containers of an owner: commands, files, ports."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shlex
import ssl
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from services.common.core.errors import DomainError
from services.inventory.domain.errors import ContainerStoppedError
from services.inventory.proxmox.containers import ContainerRef, Containers, View
from services.inventory.proxmox.reading import find_view_address
from services.inventory.proxmox.ways import Ways

DEFAULT_STALL_S = 300
DEFAULT_TIMEOUT_S = 1800
_PROBE_S = 2.0
_INSPECT_S = 15.0
_MOST_WAIT_S = 10.0  # callers wait 20 s for an answer
_ADDRESS_POLL_S = 0.25  # DHCP takes about 4 s on a real server: few requests, and a late look costs little
_FIRST_ASK_S, _LONGEST_ASK_S = 0.05, 0.5  # between two connections to a port that does not answer yet
_WEB_PORTS = (80, 8080, 3000, 8000, 443, 8443, 5000, 9000)
_NO_WEB = {22, 25, 53, 111, 3306, 5432, 6379, 27017, 11211}


@dataclass(frozen=True)
class PortProbe:
    """Whether a port answered.

    Attributes:
        reached: whether the address answered at all, if only by refusing the connection.
    """

    answered: bool
    address: str = ""
    http_status: int | None = None
    message: str = ""
    reached: bool = True


@dataclass(frozen=True)
class Listening:
    """A listening port and what it looks like."""

    port: int
    protocol: str
    process: str
    http: bool


@dataclass(frozen=True)
class Inspection:
    """What is inside a running container."""

    ports: tuple[Listening, ...]
    web_port: int | None
    image: str
    os: str
    ip_address: str


async def exec_command(
    containers: Containers,
    ways: Ways,
    ref: ContainerRef,
    *,
    owner: str,
    argv: Sequence[str],
    stdin: bytes,
    stall_s: int,
    timeout_s: int,
) -> AsyncIterator[str | int]:
    """Run a command in a container, without a shell: pieces of output, then the exit code."""
    view = await _look_running(containers, ref, owner)
    patience, limit = stall_s or DEFAULT_STALL_S, timeout_s or DEFAULT_TIMEOUT_S
    async for piece in ways.stream(view, argv, stdin=stdin, stall_s=patience, timeout_s=limit):
        yield piece


async def push_file(
    containers: Containers, ways: Ways, ref: ContainerRef, *, owner: str, path: str, content: bytes, mode: int
) -> None:
    """Write a file, whole or not at all."""
    view = await _look_running(containers, ref, owner)
    await ways.push(view, path=path, content=content, mode=mode)


async def probe_port(
    containers: Containers,
    ways: Ways,
    ref: ContainerRef,
    *,
    owner: str,
    port: int,
    scheme: str,
    path: str,
    thorough: bool = True,
    wait_s: float = 0,
) -> PortProbe:
    """Ask a port from here and, where its address cannot be reached from here, from inside.

    Args:
        containers: of all hosts.
        ways: into containers.
        ref: the container.
        owner: whose it is.
        port: TCP port.
        scheme: http, https or tcp.
        path: of an http probe.
        thorough: ask inside too when there is no address yet or it refuses; each time starts a process on the node.
        wait_s: for how long the port is asked again until it answers; the container is looked at once.
    """
    view = await containers.look_owned(ref, owner, with_tasks=False)
    if not view.is_running:
        return PortProbe(answered=False, message=f"container {ref.vmid} does not run")
    address = await find_view_address(view)
    end = asyncio.get_running_loop().time() + min(wait_s, _MOST_WAIT_S)
    while not address and asyncio.get_running_loop().time() < end:
        await asyncio.sleep(_ADDRESS_POLL_S)
        address = await find_view_address(view)
    message = f"container {ref.vmid} has no address yet"
    if address:
        outside = await _ask_until(address, port, scheme=scheme, path=path or "/", end=end)
        if outside.answered:
            return outside
        message = outside.message
        if outside.reached and not thorough:
            return outside
    elif not thorough:
        return PortProbe(answered=False, message=message)
    if await _answers_inside(view, ways, port=port, scheme=scheme, path=path or "/"):
        return PortProbe(answered=True, address=address, message="it answers inside the container")
    return PortProbe(answered=False, address=address, message=message)


async def inspect_container(containers: Containers, ways: Ways, ref: ContainerRef) -> Inspection:
    """Say what listens in a running container and which port looks like its page.

    Raises:
        ContainerStoppedError: it does not run.
    """
    view = await containers.look(ref, with_tasks=False)
    if not view.is_running:
        raise ContainerStoppedError(f"container {ref.vmid} does not run")
    address = await find_view_address(view)
    listing = await _try(view, ways, ["sh", "-c", "ss -Htlnp 2>/dev/null || netstat -tlnp 2>/dev/null"])
    release = await _try(view, ways, ["cat", "/etc/os-release"])
    image = await _try(view, ways, ["sh", "-c", "docker ps --format '{{.Image}}' 2>/dev/null | head -n 1"])
    ports = parse_listeners(listing) or await _probe_usual(address)
    answers = (
        await asyncio.gather(*(_ask(address, port, scheme="http", path="/") for port, _ in ports))
        if address
        else []
    )
    http = {port for (port, _), answer in zip(ports, answers, strict=False) if answer.http_status is not None}
    name = re.search(r'^PRETTY_NAME="?([^"\n]+)', release, re.MULTILINE)
    return Inspection(
        ports=tuple(Listening(port, "tcp", process, port in http) for port, process in ports),
        web_port=choose_web_port([port for port, _ in ports], http),
        image=image.strip().split("\n")[0],
        os=name.group(1) if name else str(view.config.get("ostype") or ""),
        ip_address=address,
    )


async def _probe_usual(address: str) -> list[tuple[int, str]]:
    """Usual ports that answer from outside, where no way leads in to ask."""
    if not address:
        return []
    probes = await asyncio.gather(*(_ask(address, port, scheme="tcp", path="/") for port in _WEB_PORTS))
    return [(port, "") for port, probe in zip(_WEB_PORTS, probes, strict=True) if probe.answered]


def parse_listeners(text: str) -> list[tuple[int, str]]:
    """Ports and processes from the output of `ss -Htlnp` or `netstat -tlnp`; those on loopback alone are left out."""
    found: dict[int, str] = {}
    for line in text.splitlines():
        match = re.search(r"(?:^|\s)(\S+):(\d+)\s+\S+:\*", line)
        if not match or match.group(1) in {"127.0.0.1", "[::1]", "::1"}:
            continue
        program = re.search(r'\(\("([^"]+)"|\b\d+/(\S+)', line)
        found.setdefault(int(match.group(2)), (program.group(1) or program.group(2) or "") if program else "")
    return sorted(found.items())


def choose_web_port(ports: Sequence[int], http: set[int]) -> int | None:
    """The port that looks like the page: what answers HTTP, the usual ones first; else a usual one that listens."""
    usual = {port: rank for rank, port in enumerate(_WEB_PORTS)}
    for group in (
        sorted(http),
        [port for port in ports if port in usual],
        [p for p in ports if p not in _NO_WEB],
    ):
        if group:
            return min(group, key=lambda port: (usual.get(port, len(usual)), port))
    return None


async def _look_running(containers: Containers, ref: ContainerRef, owner: str) -> View:
    view = await containers.look_owned(ref, owner, with_tasks=False)
    if not view.is_running:
        raise ContainerStoppedError(f"container {ref.vmid} does not run")
    return view


async def _try(view: View, ways: Ways, argv: Sequence[str]) -> str:
    try:
        done = await ways.run(view, argv, timeout_s=_INSPECT_S)
    except DomainError:
        return ""
    return done.text if done.exit_code == 0 else ""


async def _answers_inside(view: View, ways: Ways, *, port: int, scheme: str, path: str) -> bool:
    if scheme in {"http", "https"}:
        url = shlex.quote(f"{scheme}://127.0.0.1:{port}{path}")
        script = (
            f"wget -q -T 2 -O /dev/null {url} 2>/dev/null || curl -s -k -m 2 -o /dev/null {url}"
            " && echo proximity-answered"
        )
        return "proximity-answered" in await _try(view, ways, ["sh", "-c", script])
    listing = await _try(view, ways, ["sh", "-c", "ss -Htlnp 2>/dev/null || netstat -tlnp 2>/dev/null"])
    return port in {one for one, _ in parse_listeners(listing)}


async def _ask_until(address: str, port: int, *, scheme: str, path: str, end: float) -> PortProbe:
    """Ask a port until it answers or `end` has come; an address that cannot be reached is asked once."""
    loop, delay = asyncio.get_running_loop(), _FIRST_ASK_S
    while True:
        probe = await _ask(address, port, scheme=scheme, path=path)
        if probe.answered or not probe.reached or loop.time() + delay >= end:
            return probe
        await asyncio.sleep(delay)
        delay = min(delay * 1.5, _LONGEST_ASK_S)


async def _ask(address: str, port: int, *, scheme: str, path: str) -> PortProbe:
    context: ssl.SSLContext | None = None
    if scheme == "https":
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = (
            False,
            ssl.CERT_NONE,
        )  # whether it answers, not who it is
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(_PROBE_S):
            reader, writer = await asyncio.open_connection(address, port, ssl=context)
            if scheme == "tcp":
                return PortProbe(answered=True, address=address)
            host = f"[{address}]" if ":" in address else address
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
            status = re.match(rb"HTTP/\S{1,8} (\d{3})", await reader.readline())
    except ValueError:  # no line at all: what speaks there says much, and it is not HTTP
        status = None
    except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
        why = str(error) or "timed out"
        refused = isinstance(error, ConnectionError | asyncio.IncompleteReadError | ssl.SSLError)
        message = f"{address}:{port} does not answer: {why}"
        return PortProbe(answered=False, address=address, message=message, reached=refused)
    finally:
        if writer is not None:
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                await asyncio.wait_for(writer.wait_closed(), 1)
    if status is None:
        return PortProbe(answered=False, address=address, message=f"{address}:{port} does not speak HTTP")
    return PortProbe(answered=True, address=address, http_status=int(status.group(1)))
