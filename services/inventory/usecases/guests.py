"""Commands, files and ports of an owner's running containers."""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import AsyncIterator, Sequence

from services.common.core.errors import DomainError
from services.inventory.domain.containers import ContainerRef, View
from services.inventory.domain.errors import ContainerStoppedError
from services.inventory.domain.interfaces import ContainerAccess, PortProber
from services.inventory.domain.ports import (
    USUAL_WEB_PORTS,
    Inspection,
    Listening,
    PortProbe,
    choose_web_port,
    parse_listeners,
)
from services.inventory.proxmox.container_scan import find_view_address
from services.inventory.proxmox.containers import ContainerLookup

DEFAULT_STALL_S = 300  # of a command that prints nothing: downloads print more often than that
DEFAULT_TIMEOUT_S = 1800  # of a whole command: pulling large images takes many minutes
_INSPECT_TIMEOUT_S = 15.0  # of one command that lists what listens
_MOST_WAIT_S = 10.0  # callers wait 20 s for an answer
_ADDRESS_POLL_S = 0.25  # DHCP takes about 4 s on a real server: few requests, and a late poll costs little
_FIRST_POLL_S, _LONGEST_POLL_S = 0.05, 0.5  # between two connections to a port that does not answer yet
_LIST_LISTENERS = ("sh", "-c", "ss -Htlnp 2>/dev/null || netstat -tlnp 2>/dev/null")


async def get_running(containers: ContainerLookup, ref: ContainerRef, *, owner: str) -> View:
    """Return a running container of `owner`.

    Raises:
        NotOursError: it does not carry the owner's marks.
        ContainerStoppedError: it does not run.
    """
    view = await containers.get_owned(ref, owner, with_tasks=False)
    _check_running(view)
    return view


def _check_running(view: View) -> None:
    if not view.is_running:
        raise ContainerStoppedError(f"container {view.vmid} does not run; start it first")


async def exec(  # noqa: A001 - named after its RPC
    containers: ContainerLookup,
    access: ContainerAccess,
    *,
    ref: ContainerRef,
    owner: str,
    argv: Sequence[str],
    stdin: bytes = b"",
    stall_s: int = 0,
    timeout_s: int = 0,
) -> AsyncIterator[str | int]:
    """Run a command in an owner's container, without a shell: pieces of output, then the exit code.

    Raises:
        ContainerStoppedError: it does not run.
        ExecUnavailableError: the credentials allow no commands in containers.
        ExecHungError: no output for `stall_s`, or longer than `timeout_s` in all; 0 for the defaults.
    """
    view = await get_running(containers, ref, owner=owner)
    stall, limit = stall_s or DEFAULT_STALL_S, timeout_s or DEFAULT_TIMEOUT_S
    async for piece in access.stream(view, argv, stdin=stdin, stall_s=stall, timeout_s=limit):
        yield piece


async def push_file(
    containers: ContainerLookup,
    access: ContainerAccess,
    *,
    ref: ContainerRef,
    owner: str,
    path: str,
    content: bytes,
    mode: int,
) -> None:
    """Write a file into an owner's running container, whole or not at all."""
    view = await get_running(containers, ref, owner=owner)
    await access.push(view, path=path, content=content, mode=mode)


async def probe_port(
    containers: ContainerLookup,
    access: ContainerAccess,
    *,
    ports: PortProber,
    ref: ContainerRef,
    owner: str,
    port: int,
    scheme: str = "",
    path: str = "",
    thorough: bool = True,
    wait_s: float = 0,
    inside: bool = False,
) -> PortProbe:
    """Probe a port from here and, where its address cannot be reached from here, from inside.

    Args:
        containers: of all hosts.
        access: to the container.
        ports: probes from here.
        ref: the container.
        owner: whose it is.
        port: TCP port.
        scheme: http, https or tcp; empty for tcp.
        path: of an http probe; empty for the root.
        thorough: probe inside too when there is no address yet or it refuses; each time starts a process on the node.
        wait_s: for how long the port is probed again until it answers; the container is read once.
        inside: probe from inside alone: the address may be that of another container.
    """
    view = await containers.get_owned(ref, owner, with_tasks=False)
    if not view.is_running:
        return PortProbe(answered=False, message=f"container {ref.vmid} does not run")
    scheme, path = scheme or "tcp", path or "/"
    if inside:
        answered = await _answers_inside(view, access, port=port, scheme=scheme, path=path)
        return PortProbe(
            answered=answered, message="" if answered else f"nothing answers inside container {ref.vmid}"
        )
    end = asyncio.get_running_loop().time() + min(wait_s, _MOST_WAIT_S)
    address = await _await_address(view, end=end)
    message = f"container {ref.vmid} has no address yet"
    if address:
        # From here first: it is what users will do, and it costs the node nothing.
        outside = await _probe_until(ports, address, port=port, scheme=scheme, path=path, end=end)
        if outside.answered or (outside.reached and not thorough):
            return outside
        message = outside.message
    elif not thorough:
        return PortProbe(answered=False, message=message)
    if await _answers_inside(view, access, port=port, scheme=scheme, path=path):
        return PortProbe(answered=True, address=address, message="it answers inside the container")
    return PortProbe(answered=False, address=address, message=message)


async def inspect_container(
    containers: ContainerLookup, access: ContainerAccess, *, ports: PortProber, ref: ContainerRef
) -> Inspection:
    """Return what listens in a running container of any owner, and which port looks like its page.

    Raises:
        ContainerStoppedError: it does not run.
    """
    view = await containers.get(ref, with_tasks=False)
    _check_running(view)
    address = await find_view_address(view)
    listing = await _run(view, access, argv=_LIST_LISTENERS)
    release = await _run(view, access, argv=("cat", "/etc/os-release"))
    image = await _run(
        view, access, argv=("sh", "-c", "docker ps --format '{{.Image}}' 2>/dev/null | head -n 1")
    )
    listening = parse_listeners(listing) or await _probe_usual(ports, address)
    answers = await asyncio.gather(
        *(ports.probe(address, port, scheme="http", path="/") for port, _ in listening if address)
    )
    http = {
        port for (port, _), answer in zip(listening, answers, strict=False) if answer.http_status is not None
    }
    name = re.search(r'^PRETTY_NAME="?([^"\n]+)', release, re.MULTILINE)
    return Inspection(
        ports=tuple(Listening(port, "tcp", process, port in http) for port, process in listening),
        web_port=choose_web_port([port for port, _ in listening], http),
        image=image.strip().split("\n")[0],
        os=name.group(1) if name else str(view.config.get("ostype") or ""),
        ip_address=address,
    )


async def _probe_usual(ports: PortProber, address: str) -> list[tuple[int, str]]:
    """Return the usual ports that answer from here, for containers in which no command can run."""
    if not address:
        return []
    probes = await asyncio.gather(
        *(ports.probe(address, port, scheme="tcp", path="/") for port in USUAL_WEB_PORTS)
    )
    return [(port, "") for port, probe in zip(USUAL_WEB_PORTS, probes, strict=True) if probe.answered]


async def _run(view: View, access: ContainerAccess, *, argv: Sequence[str]) -> str:
    """Return the output of a command; empty when it fails or cannot run."""
    try:
        done = await access.run(view, argv, timeout_s=_INSPECT_TIMEOUT_S)
    except DomainError:
        return ""
    return done.text if done.exit_code == 0 else ""


async def _answers_inside(view: View, access: ContainerAccess, *, port: int, scheme: str, path: str) -> bool:
    if scheme in {"http", "https"}:
        url = shlex.quote(f"{scheme}://127.0.0.1:{port}{path}")
        script = (
            f"wget -q -T 2 -O /dev/null {url} 2>/dev/null || curl -s -k -m 2 -o /dev/null {url}"
            " && echo proximity-answered"
        )
        return "proximity-answered" in await _run(view, access, argv=("sh", "-c", script))
    return port in {one for one, _ in parse_listeners(await _run(view, access, argv=_LIST_LISTENERS))}


async def _await_address(view: View, *, end: float) -> str:
    """Return the address of a container as soon as it has one; empty when it has none at the time `end`."""
    loop = asyncio.get_running_loop()
    address = await find_view_address(view)
    while not address and loop.time() < end:
        await asyncio.sleep(_ADDRESS_POLL_S)
        address = await find_view_address(view)
    return address


async def _probe_until(
    ports: PortProber, address: str, *, port: int, scheme: str, path: str, end: float
) -> PortProbe:
    """Probe a port until it answers or `end` has come; an address that cannot be reached is probed once."""
    loop, delay = asyncio.get_running_loop(), _FIRST_POLL_S
    while True:
        probe = await ports.probe(address, port, scheme=scheme, path=path)
        if probe.answered or not probe.reached or loop.time() + delay >= end:
            return probe
        await asyncio.sleep(delay)
        delay = min(delay * 1.5, _LONGEST_POLL_S)
