"""CheckArchive over SSH on the simulated node, whose archives are real files read by this machine's tar and zstd."""

from __future__ import annotations

import pytest
from proximity.inventory.v1 import archive_check_pb2 as pb

from tests.contract.inventory.archives import back_up, make_backup
from tests.contract.inventory.conftest import Inventory, new_call


async def check(inventory: Inventory, archive: str, host_id: int) -> pb.ArchiveCheckProgress:
    request = pb.CheckArchiveRequest(host_id=host_id, archive=archive, limit_s=60)
    return [one async for one in inventory.containers.check_archive(request, new_call())][-1]


async def test_a_truncated_archive_is_broken_and_a_whole_one_intact(inventory: Inventory) -> None:
    ref = await inventory.create("checked")
    archive = await back_up(inventory, ref, "checked")
    found = await check(inventory, archive, ref.host_id)
    assert (found.done, found.status, found.reason) == (True, "intact", "")
    assert found.node
    inventory.sim.client.control("PATCH", "/volumes", {"volid": archive, "readable": 0.5})
    found = await check(inventory, archive, ref.host_id)
    assert found.status == "broken"
    assert "premature end" in found.reason


@pytest.mark.parametrize("kind", ["gzip", "lzo"])
async def test_the_program_of_the_compression_is_needed(inventory: Inventory, kind: str) -> None:
    ref = await inventory.create(f"as-{kind}")
    request = make_backup(ref, f"as-{kind}")
    request.compression = kind
    end = await inventory.finish(await inventory.containers.backup_container(request, new_call()))
    found = await check(inventory, end.result, ref.host_id)
    if found.status != "intact":  # where lzop is not on this machine
        assert (found.status, kind) == ("not_checked", "lzo")
        assert "lzop" in found.reason
