"""Ports, listeners and tasks of containers, and tasks that say nothing any more."""

import pytest
from proximity.inventory.v1 import container_service_pb2 as cs

from services.inventory.domain.errors import TaskNotFoundError, TaskStalledError
from tests.contract.inventory.conftest import Inventory, new_call


async def probe(
    inventory: Inventory, ref: cs.ContainerRef, owner: str, *, port: int, scheme: str = "http"
) -> cs.ProbePortResponse:
    request = cs.ProbePortRequest(container=ref, owner=owner, port=port, scheme=scheme)
    return await inventory.containers.probe_port(request, new_call())


async def test_a_port_answers_or_it_is_said_why_not(inventory: Inventory) -> None:
    ref = await inventory.create("probed", template="debian-12-standard")
    stopped = await probe(inventory, ref, "probed", port=80)
    assert (stopped.answered, stopped.message) == (False, f"container {ref.vmid} does not run")
    await inventory.start(ref, "probed")
    closed = await probe(inventory, ref, "probed", port=80)
    assert not closed.answered
    assert "80 does not answer" in closed.message
    script = "apt-get update && apt-get install -y nginx && systemctl enable --now nginx"
    text, code = await inventory.run(ref, "sh", "-c", script, owner="probed")
    assert code == 0, text
    for scheme, status in (("http", 200), ("tcp", 0)):
        answer = await probe(inventory, ref, "probed", port=80, scheme=scheme)
        assert (answer.answered, answer.http_status) == (True, status)
        assert answer.address.startswith("127.")


async def test_a_running_stranger_shows_what_listens(inventory: Inventory) -> None:
    ref = cs.ContainerRef(host_id=inventory.host.id, vmid=101, node="pve1")
    found = await inventory.containers.inspect_container(cs.GetContainerRequest(container=ref), new_call())
    ports = {one.port: (one.process, one.http) for one in found.ports}
    assert ports == {22: ("sshd", False), 80: ("nginx", True)}
    assert (found.web_port, found.os.split()[0]) == (80, "Debian")
    assert found.ip_address


async def test_a_task_that_hangs_is_seen_told_and_stopped(inventory: Inventory) -> None:
    ref = await inventory.create("hung")
    hang = {"kind": "task_hang", "match": {"type": "vzstart", "vmid": str(ref.vmid)}, "times": 1}
    inventory.sim.client.control("POST", "/faults", [hang])
    action = cs.ContainerActionRequest(container=ref, owner="hung")
    task = await inventory.containers.start_container(action, new_call())
    again = await inventory.containers.start_container(action, new_call())
    assert again.upid == task.upid
    request = cs.ListContainerTasksRequest(container=ref)
    running = (await inventory.containers.list_container_tasks(request, new_call())).tasks
    assert [(one.upid, one.type, one.running) for one in running] == [(task.upid, "vzstart", True)]

    watch = cs.WatchTaskRequest(host_id=task.host_id, node=task.node, upid=task.upid, stall_timeout_s=1)
    with pytest.raises(TaskStalledError, match="printed nothing new for 1 s"):
        async for _ in inventory.containers.watch_task(watch, new_call()):
            pass
    await inventory.containers.stop_task(watch, new_call())  # it does not run, which is what was asked for
    for _ in range(2):
        await inventory.containers.stop_task(watch, new_call())
    ended = await inventory.finish(task)
    assert not ended.succeeded
    request.include_finished = True
    known = (await inventory.containers.list_container_tasks(request, new_call())).tasks
    assert {(one.type, one.running) for one in known} == {("vzcreate", False), ("vzstart", False)}
    await inventory.start(ref, "hung")


async def test_a_task_that_warns_has_done_its_work(inventory: Inventory) -> None:
    inventory.sim.client.control("POST", "/faults", [{"kind": "task_warn", "match": {"type": "vzstart"}}])
    ref = await inventory.create("warned")
    task = await inventory.containers.start_container(
        cs.ContainerActionRequest(container=ref, owner="warned"), new_call()
    )
    ended = await inventory.finish(task)
    inventory.sim.client.control("DELETE", "/faults")
    assert (ended.succeeded, ended.exit_status) == (True, "WARNINGS: 1")


async def test_a_task_that_nobody_knows_is_named(inventory: Inventory) -> None:
    upid = "UPID:pve1:00001234:00005678:66666666:vzstart:9999:root@pam:"
    watch = cs.WatchTaskRequest(host_id=inventory.host.id, node="pve1", upid=upid)
    with pytest.raises(TaskNotFoundError, match="00001234"):
        async for _ in inventory.containers.watch_task(watch, new_call()):
            pass
    await inventory.containers.stop_task(watch, new_call())  # it does not run, which is what was asked for
