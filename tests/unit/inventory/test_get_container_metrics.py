"""GetContainerMetrics: Proxmox's history of a container, gaps as gaps."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from services.clients.inventory.errors import ContainerNotFoundError
from services.inventory.convert.metrics import render_history
from services.inventory.domain.containers import ContainerRef
from services.inventory.domain.errors import HostUnreachableError, NotOursError, ProxmoxRefusedError
from services.inventory.proxmox.answers import UnexpectedAnswer
from services.inventory.proxmox.metrics import read_history
from services.inventory.proxmox.shapes import check_shape
from services.inventory.usecases.metrics import get_container_metrics
from tests.fakes.inventory import InstantInventory, SilentHosts

RECORDED = Path(__file__).parents[2] / "pvesim" / "recordings" / "locks-tasks-misc.jsonl"


@dataclasses.dataclass
class Answering:
    """A client with one answer."""

    answer: Any

    async def get(self, path: str, /, **params: Any) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        check_shape("get", path, data=self.answer)
        return self.answer


def read_recorded(request: str) -> Any:
    lines = (json.loads(line) for line in RECORDED.read_text().splitlines())
    return next(one["body"]["data"] for one in lines if one["req"] == request and one["status"] == 200)


async def read(answer: Any, path: str = "/nodes/pve/lxc/401") -> Any:
    return await read_history(Answering(answer), path, timeframe="hour")  # type: ignore[arg-type]


async def test_a_recorded_answer_of_a_node_has_values_where_it_was_measured() -> None:
    rows = read_recorded("GET /nodes/pve/rrddata")
    history = await read(rows, "/nodes/pve")
    assert (history.interval_s, len(history.samples)) == (60, len(rows))
    first, last = history.samples[0], history.samples[-1]
    assert (first.cpu_usage, first.memory_used, first.network_in) == (None, None, None)
    assert last.cpu_usage == pytest.approx(rows[-1]["cpu"] * 100, abs=1e-4)
    assert (last.memory_total, last.disk_total) == (rows[-1]["memtotal"], rows[-1]["roottotal"])
    assert (last.network_in, last.disk_read) == (0, None), "zero was measured; disks of nodes are not"
    assert not render_history(history).samples[0].HasField("cpu_usage")


async def test_a_recorded_answer_without_any_measurement_is_all_gaps() -> None:
    history = await read(read_recorded("GET /nodes/pve/lxc/401/rrddata"))
    assert len(history.samples) == 59
    shown = [[field.name for field, _ in one.ListFields()] for one in render_history(history).samples]
    assert shown == [["time"]] * 59


async def test_nulls_are_gaps_and_numbers_as_text_are_numbers() -> None:
    rows = [{"time": 120, "cpu": None, "mem": ""}, {"time": 60, "cpu": "0.5", "mem": 0, "netin": -0.1}]
    history = await read(rows)
    (early, late) = history.samples
    assert (early.cpu_usage, early.memory_used, early.network_in) == (50, 0, 0)
    assert (late.cpu_usage, late.memory_used) == (None, None)


async def test_what_was_never_measured_has_an_empty_history() -> None:
    refused = ProxmoxRefusedError(
        "Proxmox refused: RRD error: opening '/var/lib/rrdcached/db/pve-vm-9.0/401': No such file or directory"
    )
    assert (await read(refused)).samples == ()
    assert (await read([])).interval_s == 0
    with pytest.raises(ProxmoxRefusedError):
        await read(ProxmoxRefusedError("Permission check failed"))


@pytest.mark.parametrize(
    "answer", [None, {}, [1], [{}], [{"time": "x"}], [{"time": 1e13}], [{"time": 60, "cpu": [1]}]]
)
async def test_answers_of_another_shape_are_refused(answer: Any) -> None:
    with pytest.raises(UnexpectedAnswer):
        await read(answer)


async def test_a_running_container_of_ours_was_measured(inventory: InstantInventory) -> None:
    ref = await inventory.create(is_running=True)
    for timeframe in ("hour", "day", "week", "month", "year"):
        history = await get_container_metrics(
            inventory.parts.hosts, inventory.lookup, ref=ref, owner="shop", timeframe=timeframe
        )
        times = [one.time for one in history.samples]
        assert times == sorted(times)
        assert history.interval_s == (times[1] - times[0]).total_seconds()


async def test_foreign_missing_and_silent_are_told_apart(inventory: InstantInventory) -> None:
    hosts, lookup = inventory.parts.hosts, inventory.lookup
    with pytest.raises(NotOursError):
        await get_container_metrics(hosts, lookup, ref=inventory.stranger, owner="shop", timeframe="hour")
    missing = ContainerRef(inventory.host.id, 9999)
    with pytest.raises(ContainerNotFoundError):
        await get_container_metrics(hosts, lookup, ref=missing, owner="shop", timeframe="hour")
    inventory.proxmox.outage = SilentHosts("pve")
    with pytest.raises(HostUnreachableError):
        await get_container_metrics(hosts, lookup, ref=inventory.stranger, owner="shop", timeframe="hour")
