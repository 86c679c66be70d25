"""What containers use is asked once a host, waited for where it may be new, and never for what is long known."""

from __future__ import annotations

import asyncio
import time

import pytest

from services.apps.domain.stamps import ListedStamp
from services.apps.usecases import container_metrics as metrics
from services.apps.usecases.container_metrics import ContainerMetrics
from services.clients.inventory.values import Container, Scan
from tests.fakes.containers import FakeContainers

HOST, VMID, OWNER = 1, 100, "web-1"
LONG_AGO = time.time() - 3600


class Counting(FakeContainers):
    """Answers when it may, and counts how often it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def list_containers(
        self,
        host_id: int | None = None,
        *,
        with_addresses: bool = False,
        brief: bool = False,
        timeout: float = 60.0,
    ) -> Scan:
        self.asked += 1
        await self.may_answer.wait()
        return await super().list_containers(host_id, brief=brief, timeout=timeout)


def make_container(vmid: int) -> Container:
    return Container(
        host_id=HOST, vmid=vmid, node="pve", name="web", status="running", memory_used=7, owner=OWNER
    )


@pytest.fixture
async def containers() -> Counting:
    made = Counting()
    made.containers[VMID] = make_container(VMID)
    return made


async def test_apps_of_a_host_are_one_question(containers: Counting) -> None:
    found = ContainerMetrics(containers)
    answers = await asyncio.gather(
        *(found.find(HOST, VMID, owner=OWNER, changed_at=LONG_AGO) for _ in range(20))
    )
    assert {each.memory_used for each in answers if each} == {7}
    assert containers.asked == 1


async def test_a_container_that_may_be_new_is_waited_for(
    containers: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "_AGAIN_S", 0.0)
    found = ContainerMetrics(containers)
    assert await found.find(HOST, VMID + 1, owner=OWNER, changed_at=time.time()) is None
    containers.containers[VMID + 1] = make_container(VMID + 1)
    assert await found.find(HOST, VMID + 1, owner=OWNER, changed_at=time.time()) is not None


async def test_a_container_that_is_long_gone_holds_nobody_up(
    containers: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = ContainerMetrics(containers)
    await found.find(HOST, VMID, owner=OWNER, changed_at=LONG_AGO)
    monkeypatch.setattr(metrics, "_FRESH_S", 0.0)
    monkeypatch.setattr(metrics, "_WAIT_S", 600.0)
    containers.may_answer.clear()
    async with asyncio.timeout(60):  # the host is asked again, and does not answer
        assert await found.find(HOST, VMID + 1, owner=OWNER, changed_at=LONG_AGO) is None
        assert await found.find(HOST, VMID, owner=OWNER, changed_at=LONG_AGO) is not None
    containers.may_answer.set()


async def test_what_a_stranger_uses_is_not_shown(containers: Counting) -> None:
    found = ContainerMetrics(containers)
    assert await found.find(HOST, VMID, owner="other-1", changed_at=LONG_AGO) is None
    assert await found.find(HOST, VMID, owner=OWNER, changed_at=LONG_AGO) is not None


async def test_the_node_is_that_of_the_later_news(containers: Counting) -> None:
    found = ContainerMetrics(containers)
    await found.find(HOST, VMID, owner=OWNER, changed_at=LONG_AGO)
    moved = await found.find(HOST, VMID, owner=OWNER, changed_at=LONG_AGO)
    assert moved is not None
    assert moved.node == "pve"
    older = await found.find(HOST, VMID, owner=OWNER, changed_at=time.time() + 60)
    assert older is not None
    assert not older.node


def list_app(vmid: int, *, host_id: int = HOST, changed_at: float = LONG_AGO) -> ListedStamp:
    app_id = OWNER if vmid == VMID else "other-1"
    return ListedStamp(app_id, 1, "running", host_id, vmid, changed_at)


async def test_a_list_asks_each_host_once_and_never_waits_for_one_that_was_read(
    containers: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = ContainerMetrics(containers)
    shown = await found.find_all([list_app(VMID), list_app(VMID + 1)])
    assert (shown[OWNER].memory_used, containers.asked) == (7, 1)
    monkeypatch.setattr(metrics, "_FRESH_S", 0.0)
    monkeypatch.setattr(metrics, "_LIST_WAIT_S", 600.0)
    containers.may_answer.clear()
    async with asyncio.timeout(60):  # the host is silent now: the figures of before are shown
        assert OWNER in await found.find_all([list_app(VMID, changed_at=time.time())])
    containers.may_answer.set()


async def test_a_list_waits_for_the_first_read_of_a_silent_host_for_a_moment(
    containers: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "_LIST_WAIT_S", 0.01)
    containers.may_answer.clear()
    async with asyncio.timeout(60):
        assert await ContainerMetrics(containers).find_all([list_app(VMID)]) == {}
    containers.may_answer.set()
