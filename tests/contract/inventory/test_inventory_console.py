"""Commands and files in containers by the API's console, with a token alone."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from proximity.inventory.v1 import container_service_pb2 as cs
from proximity.inventory.v1 import inventory_service_pb2 as pb

from services.common.core.errors import is_waiting
from services.inventory.domain.entities import Secrets
from services.inventory.domain.errors import (
    ContainerLockedError,
    CreationBrokenError,
    ExecHungError,
    ExecUnavailableError,
    NotOursError,
)
from services.inventory.proxmox import consoles
from services.inventory.proxmox.websocket import open_console
from tests.contract.inventory.conftest import OWNER, Inventory, new_call
from tests.unit.pvesim.sim import Running

ALPINE = "alpine-3"
LIMIT_S = 60.0


@pytest.fixture
def secrets(sim: Running) -> Secrets:
    return Secrets(token_secret=str(sim.client.ready["token_secret"]))


@pytest.fixture
def access(sim: Running) -> dict[str, Any]:
    return {"token_id": str(sim.client.ready["token_id"])}


def list_node_commands(sim: Running) -> list[dict[str, Any]]:
    return [one for one in sim.client.control("GET", "/commands") if str(one["where"]).startswith("node/")]


async def test_a_lock_that_a_broken_creation_left_is_a_persons_to_take_off(inventory: Inventory) -> None:
    ref = await inventory.create("broken")
    path = f"/nodes/pve1/lxc/{ref.vmid}/config"
    nothing = dict.fromkeys(inventory.sim.call("GET", path).data)
    del nothing["digest"]
    control, action = inventory.sim.client.control, cs.ContainerActionRequest(container=ref, owner="broken")
    control("PATCH", f"/containers/{ref.vmid}", {**nothing, "lock": "create"})
    with pytest.raises(ContainerLockedError, match=f"run `pct unlock {ref.vmid}` on pve1") as caught:
        await inventory.containers.destroy_container(action, new_call())
    assert is_waiting(caught.value)
    control("PATCH", f"/containers/{ref.vmid}", {"lock": None})
    other = cs.ContainerActionRequest(container=ref, owner="other")
    with pytest.raises(NotOursError):
        await inventory.containers.destroy_container(other, new_call())
    again = cs.CreateContainerRequest(
        container=ref, owner="broken", hostname="web", memory_mb=512, cores=1, disk_gb=4
    )
    with pytest.raises(CreationBrokenError):
        await inventory.containers.create_container(again, new_call())
    task = await inventory.containers.destroy_container(action, new_call())
    assert (await inventory.finish(task)).succeeded


@pytest.mark.parametrize("template", ["debian-12-standard", ALPINE])
async def test_a_token_is_enough_to_run_commands_and_write_files(inventory: Inventory, template: str) -> None:
    answer = await inventory.hosts.test_host(pb.TestHostRequest(id=inventory.host.id), new_call())
    assert (answer.success, answer.exec_mode) == (True, "console"), answer.message
    owner = f"console-{template}"
    ref = await inventory.create(owner, template=template)
    await inventory.start(ref, owner)
    before = len(list_node_commands(inventory.sim))

    assert await inventory.run(ref, "sh", "-c", "echo 'a b'; exit 3", owner=owner) == ("a b\n", 3)
    assert await inventory.run(ref, "printf", "no end of line, ü, $HOME, !x", owner=owner) == (
        "no end of line, ü, $HOME, !x",
        0,
    )
    assert await inventory.run(ref, "false", owner=owner) == ("", 1)
    text, code = await inventory.run(ref, "seq", "1", "20000", owner=owner)
    assert (text.count("\n"), text[-6:], code) == (20000, "20000\n", 0)

    content = "".join(f"line {number}: $x `y` \"z\" 'q' é\t!\n" for number in range(2000))
    push = cs.PushFileRequest(
        container=ref, owner=owner, path="/opt/a b/large.txt", content=content.encode(), mode=0o600
    )
    await inventory.containers.push_file(push, new_call())
    assert await inventory.run(ref, "cat", "/opt/a b/large.txt", owner=owner) == (content, 0)
    listing, _ = await inventory.run(ref, "ls", "-la", "/opt/a b", owner=owner)
    assert "-rw-------" in listing
    assert sum("large.txt" in line for line in listing.splitlines()) == 1

    empty = cs.PushFileRequest(container=ref, owner=owner, path="/opt/none", mode=0o600)
    await inventory.containers.push_file(empty, new_call())
    assert await inventory.run(ref, "cat", "/opt/none", owner=owner) == ("", 0)

    long = "x" * 5000
    assert await inventory.run(ref, "echo", long, owner=owner) == (f"{long}\n", 0)
    assert list_node_commands(inventory.sim)[before:] == []


async def test_commands_at_the_same_time_do_not_mix(inventory: Inventory) -> None:
    ref = await inventory.create("console-mix")
    await inventory.start(ref, "console-mix")
    answers = await asyncio.gather(
        *(inventory.run(ref, "sh", "-c", f"seq {n} {n + 50}", owner="console-mix") for n in range(5))
    )
    for n, (text, code) in enumerate(answers):
        assert (text.split(), code) == ([str(one) for one in range(n, n + 51)], 0)


async def test_a_command_that_hangs_is_interrupted_and_the_next_one_runs(inventory: Inventory) -> None:
    ref = await inventory.create("console-hang")
    await inventory.start(ref, "console-hang")
    hang = {"kind": "command_hang", "where": str(ref.vmid), "subject": "uname"}
    inventory.sim.client.control("POST", "/faults", [hang])
    request = cs.ExecRequest(container=ref, owner="console-hang", argv=["uname"], stall_timeout_s=1)
    with pytest.raises(ExecHungError):
        async for _ in inventory.containers.exec(request, new_call()):
            pass
    assert await inventory.run(ref, "echo", "on", owner="console-hang") == ("on\n", 0)


async def test_a_restart_between_commands_does_no_harm(inventory: Inventory) -> None:
    ref = await inventory.create("console-reboot")
    await inventory.start(ref, "console-reboot")
    assert await inventory.run(ref, "echo", "1", owner="console-reboot") == ("1\n", 0)
    action = cs.ContainerActionRequest(container=ref, owner="console-reboot", timeout_s=5)
    assert (await inventory.finish(await inventory.containers.reboot_container(action, new_call()))).succeeded
    assert await inventory.run(ref, "echo", "2", owner="console-reboot") == ("2\n", 0)


@pytest.fixture
def slow_terminal(sim: Running) -> Iterator[None]:
    """Consoles whose shell takes long to set its terminal, so that the first lines are lost for certain."""
    sim.client.control("PATCH", "/cluster", {"attach_seconds": 0.4})
    yield
    sim.client.control("PATCH", "/cluster", {"attach_seconds": 0.02})


@pytest.mark.usefixtures("slow_terminal")
async def test_what_a_new_shell_discards_is_typed_again(
    inventory: Inventory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consoles, "_WAKE_S", 30.0)
    owner = "console-early"
    ref = await inventory.create(owner)
    await inventory.start(ref, owner)
    assert await inventory.run(ref, "echo", "1", owner=owner) == ("1\n", 0)
    action = cs.ContainerActionRequest(container=ref, owner=owner, timeout_s=5)
    assert (await inventory.finish(await inventory.containers.reboot_container(action, new_call()))).succeeded
    assert await inventory.run(ref, "echo", "2", owner=owner) == ("2\n", 0)
    push = cs.PushFileRequest(container=ref, owner=owner, path="/root/x", content=b"y" * 5000)
    await inventory.containers.push_file(push, new_call())
    assert await inventory.run(ref, "wc", "-c", "/root/x", owner=owner) == ("5000 /root/x\n", 0)


async def test_a_command_of_a_person_in_the_shell_is_waited_for_and_never_interrupted(
    inventory: Inventory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consoles, "_WAKE_S", 1.5)
    owner = "console-busy"
    ref = await inventory.create(owner)
    await inventory.start(ref, owner)
    socket = await open_console(await inventory.fleet.get_client(ref.host_id), "pve1", vmid=ref.vmid)
    while b"# " not in await socket.read(patience_s=10):
        continue
    hang = {"kind": "command_hang", "where": str(ref.vmid), "subject": "uname", "seconds": 4}
    inventory.sim.client.control("POST", "/faults", [hang])
    await socket.type(b"sh -c uname; echo still-done\n")
    with pytest.raises(ExecHungError, match="does not answer"):
        await inventory.run(ref, "true", owner=owner)
    shown = b""
    while b"\nstill-done" not in shown:
        shown += await socket.read(patience_s=10)
    await socket.close()


async def test_a_console_that_asks_for_a_login_says_what_to_do(inventory: Inventory) -> None:
    ref = await inventory.create(OWNER, docker=False)
    await inventory.start(ref)
    with pytest.raises(ExecUnavailableError, match="--cmode shell"):
        await inventory.run(ref, "true")


async def test_an_attachment_is_closed_in_time_when_its_next_command_is_abandoned(
    inventory: Inventory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consoles, "_IDLE_S", 3.0)
    owner = "console-left"
    ref = await inventory.create(owner)
    await inventory.start(ref, owner)
    assert await inventory.run(ref, "echo", "1", owner=owner) == ("1\n", 0)
    waking = asyncio.Event()

    async def wake_never(*_: Any, **__: Any) -> None:
        waking.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(consoles, "wake_shell", wake_never)
    abandoned = asyncio.create_task(inventory.run(ref, "echo", "2", owner=owner))
    async with asyncio.timeout(LIMIT_S):
        await waking.wait()
        abandoned.cancel()
        await asyncio.gather(abandoned, return_exceptions=True)
        while count_attachments(inventory.sim, ref.vmid):  # noqa: ASYNC110 - another process decides when
            await asyncio.sleep(0.1)


def count_attachments(sim: Running, vmid: int) -> int:
    """Count the processes of Proxmox that serve an open console of a container."""
    tasks = sim.client.control("GET", "/state")["tasks"]
    mine = [one for one in tasks if (one["type"], one["id"]) == ("vncproxy", str(vmid))]
    assert mine
    return sum(one["endtime"] is None for one in mine)
