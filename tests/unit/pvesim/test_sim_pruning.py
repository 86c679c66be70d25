"""Retention of the simulated Proxmox VE: marks, limits, and what counts where the storage says nothing."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.pvesim.instant import InstantProxmox
from tests.pvesim.model.archives import mark_backups
from tests.pvesim.model.entities import Volume

# Answers of Proxmox's own code; the simulator's clock is in UTC.
RECORDED = [
    case
    for line in (Path(__file__).parents[1] / "backups/prunebackups.jsonl").read_text().splitlines()
    if (case := json.loads(line))["zone"] == "UTC"
]
NAMES = {"p": "protected", "k": "keep", "r": "remove"}
DUMP = "/nodes/pve/vzdump"


@pytest.mark.parametrize("case", RECORDED, ids=lambda case: str(case["keep"]))
def test_marks_are_those_that_the_real_server_gives(case: dict[str, object]) -> None:
    times, marks, keep = case["times"], case["marks"], case["keep"]
    assert isinstance(times, list)
    assert isinstance(marks, str)
    assert isinstance(keep, dict)
    archives = [
        Volume(
            storage="backup",
            name=f"backup/vzdump-lxc-100-{datetime.fromtimestamp(time, UTC):%Y_%m_%d-%H_%M_%S}-{number}.tar.zst",
            node="pve",
            content="backup",
            size=1,
            format="tar.zst",
            ctime=time,
            protected=mark == "p",
        )
        for number, (time, mark) in enumerate(zip(times, marks, strict=True))
    ]
    found = mark_backups(archives, {f"keep-{rule}": count for rule, count in keep.items()})
    assert [found[one.volid] for one in archives] == [NAMES[mark] for mark in marks]


def test_a_node_says_which_retention_counts(recorded: InstantProxmox) -> None:
    def find(storage: str) -> object:
        return recorded.get(f"{DUMP}/defaults", storage=storage)["prune-backups"]

    assert [find("local"), find("backup")] == ["keep-all=1", "keep-last=3"]
    recorded.cluster.nodes["pve"].prune = "keep-last=2"
    assert [find("local"), find("backup")] == ["keep-last=2", "keep-last=3"]


def test_the_limit_counts_for_archives_that_are_not_protected(recorded: InstantProxmox) -> None:
    recorded.run(
        "POST", "/nodes/pve/lxc", vmid=100, ostemplate="local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst"
    )
    recorded.cluster.nodes["pve"].prune = "keep-last=1"
    answers = [
        recorded.run("POST", DUMP, vmid=100, storage="local", remove=0, protected=protected)
        for protected in (0, 1, 0)
    ]
    assert answers == ["OK", "OK", "job errors"]
