"""CheckArchive: a node reads the archive, and what its answer means."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest

from services.inventory.domain.access import CommandOutput
from services.inventory.domain.archive_checks import ArchiveState, ArchiveVerdict, judge, render_check
from services.inventory.domain.errors import ArchiveNotFoundError, NodeCheckingError
from services.inventory.usecases.check_archive import check_archive, repeat_until_done
from tests.fakes.inventory import InstantInventory
from tests.pvesim.guest.node_archives import build_file
from tests.pvesim.model.entities import Storage, Volume
from tests.unit.inventory.backed_up import back_up_container

LIMIT_S = 600


async def check(inventory: InstantInventory, archive: str) -> ArchiveVerdict:
    parts = inventory.parts
    return await check_archive(
        parts.fleet, parts.access, host_id=inventory.host.id, archive=archive, limit_s=LIMIT_S
    )


async def test_an_archive_is_read_with_a_lock_a_limit_and_low_priority(inventory: InstantInventory) -> None:
    archive = await back_up_container(inventory, await inventory.create())
    verdict = await check(inventory, archive)
    assert verdict.state is ArchiveState.INTACT
    (named, read) = [command for _, command in inventory.parts.access.on_nodes]
    assert named == f"pvesm path {archive}"
    assert read.startswith("flock --nonblock ")
    assert f"timeout {LIMIT_S} nice -n 19 ionice -c 3 tar " in read
    assert read.endswith(" -tf /dump/file")


async def test_one_archive_is_read_on_a_node_at_a_time(inventory: InstantInventory) -> None:
    archive = await back_up_container(inventory, await inventory.create())
    inventory.parts.access.of_nodes["flock"] = CommandOutput("", 75)
    with pytest.raises(NodeCheckingError, match="reads another archive"):
        await check(inventory, archive)


async def test_what_cannot_be_checked_says_why(inventory: InstantInventory) -> None:
    archive = await back_up_container(inventory, await inventory.create())
    inventory.parts.access.of_nodes["pvesm"] = CommandOutput("storage 'backup' does not exist\n", 255)
    verdict = await check(inventory, archive)
    assert (verdict.state, verdict.reason) == (
        ArchiveState.NOT_CHECKED,
        f"node {verdict.node} names no file for it: storage 'backup' does not exist",
    )
    with pytest.raises(ArchiveNotFoundError):
        await check(inventory, archive.replace("vzdump-lxc-9", "vzdump-lxc-8"))


async def test_a_backup_server_verifies_its_own_archives(inventory: InstantInventory) -> None:
    inventory.proxmox.cluster.storages["pbs"] = Storage("pbs", "pbs", ["backup"], shared=True)
    archive = await back_up_container(inventory, await inventory.create(), storage="pbs")
    verdict = await check(inventory, archive)
    assert verdict.state is ArchiveState.NOT_CHECKED
    assert "Proxmox Backup Server" in verdict.reason
    assert inventory.parts.access.on_nodes == []


@pytest.mark.parametrize(
    ("code", "text", "state", "reason"),
    [
        (0, "", ArchiveState.INTACT, ""),
        (124, "", ArchiveState.NOT_CHECKED, "it was not read within 600 s"),
        (127, "flock: failed to execute tar: No such file or directory", ArchiveState.NOT_CHECKED, "flock: failed"),
        (2, "tar (child): lzop: Cannot exec: No such file or directory", ArchiveState.NOT_CHECKED, "lzop: Cannot exec"),
        (2, "tar: /mnt/a: Cannot read: Stale file handle", ArchiveState.NOT_CHECKED, "Stale file handle"),
        (137, "", ArchiveState.NOT_CHECKED, "by a signal"),
        (2, "tar: Unexpected EOF in archive\ntar: Error is not recoverable: exiting now", ArchiveState.BROKEN, "Unexpected EOF in archive"),
        (2, "", ArchiveState.BROKEN, "tar ended with status 2"),
    ],
)  # fmt: skip
def test_the_end_of_the_command_tells_the_outcome(
    code: int, text: str, state: ArchiveState, reason: str
) -> None:
    verdict = judge(CommandOutput(text, code), node="pve1", limit_s=LIMIT_S)
    assert verdict.state is state
    assert reason in verdict.reason
    assert "not recoverable" not in verdict.reason


@pytest.mark.parametrize("kind", ["tar", "tar.zst", "tar.gz"])
@pytest.mark.parametrize("damage", ["", "truncated", "changed", "empty"])
def test_damage_is_found_by_the_real_programs(tmp_path: Path, kind: str, damage: str) -> None:
    program = {"tar.zst": "zstd", "tar.gz": "gzip"}.get(kind, "tar")
    if not shutil.which(program):
        pytest.skip(f"{program} is not on this machine")
    volume = Volume(
        "local",
        "backup/a",
        "",
        "backup",
        1,
        kind,
        0,
        config="x" * 5000,
        guest={str(n): n for n in range(9000)},
    )
    data = bytearray(build_file(volume))
    if damage == "truncated":
        data = data[: len(data) // 2]
    elif damage == "changed" and kind == "tar":
        data[150] ^= 0xFF  # in the checksum of the first header; tar has none of contents
    elif damage == "changed":
        data[len(data) // 2] ^= 0xFF
    elif damage == "empty":
        data = bytearray()
    file = tmp_path / f"archive.{kind}"
    file.write_bytes(data)
    command = render_check(str(file), limit_s=60)
    done = subprocess.run(
        command[command.index("tar") :], capture_output=True, text=True, check=False, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"}
    )  # fmt: skip
    verdict = judge(CommandOutput(done.stdout + done.stderr, done.returncode), node="pve1", limit_s=60)
    # An empty file is what a full storage leaves.
    assert verdict.state is (ArchiveState.BROKEN if damage else ArchiveState.INTACT), (done, damage)
    assert bool(verdict.reason) is bool(damage)


async def test_a_caller_hears_of_a_check_that_goes_on() -> None:
    end = asyncio.Event()

    async def read() -> ArchiveVerdict:
        await end.wait()
        return ArchiveVerdict(state=ArchiveState.INTACT)

    seen: list[ArchiveVerdict | None] = []
    async for verdict in repeat_until_done(read(), every_s=0.001):
        seen.append(verdict)
        if len(seen) == 3:
            end.set()
    assert seen[:3] == [None] * 3
    assert seen[-1] == ArchiveVerdict(state=ArchiveState.INTACT)
