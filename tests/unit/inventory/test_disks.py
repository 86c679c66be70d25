"""Disks of containers, and what archives lack of them."""

from __future__ import annotations

import pytest

from services.inventory.domain.disks import find_unarchived, parse_configuration, parse_disks

CONFIG = {
    "hostname": "files",
    "rootfs": "local-lvm:vm-150-disk-0,size=8G",
    "mp0": "tank:vm-150-disk-0,mp=/srv/photos,size=50G",
    "mp1": "volume=tank:vm-150-disk-1,mp=/srv/mail,backup=1,size=8704M",
    "mp2": "/mnt/host,mp=/srv/shared",
    "mp10": "tank:vm-150-disk-2,mp=/var/cache,backup=0,size=1T",
    "unused0": "tank:vm-150-disk-9",
}


def test_disks_are_parsed_with_storage_size_and_path() -> None:
    disks = {one.key: one for one in parse_disks(CONFIG)}
    assert list(disks) == ["rootfs", "mp0", "mp1", "mp2", "mp10", "unused0"]
    assert [disks[key].size_gb for key in ("rootfs", "mp0", "mp1", "mp10")] == [8, 50, 8.5, 1024]
    assert [disks[key].storage for key in ("rootfs", "mp1", "mp2", "unused0")] == [
        "local-lvm",
        "tank",
        "",
        "tank",
    ]
    assert [one.key for one in disks.values() if one.is_archived] == ["rootfs", "mp1"]
    assert disks["mp0"].describe() == "mp0 (/srv/photos, 50 GB on tank)"
    assert disks["mp1"].render("tank:9") == "tank:9,mp=/srv/mail,backup=1"
    assert disks["rootfs"].render("local:8") == "local:8"


def test_a_backup_leaves_out_what_is_not_marked() -> None:
    assert [one.key for one in find_unarchived(CONFIG)] == ["mp0", "mp10"]


@pytest.mark.parametrize(
    ("archive", "lost"),
    [
        ({"rootfs": "a:b,size=8G"}, ["mp0", "mp1", "mp10", "unused0"]),
        ({"rootfs": "a:b", "mp3": "old:vm-1-disk-0,mp=/srv/photos,backup=1,size=1G"}, ["mp1", "mp10", "unused0"]),
        ({"rootfs": "a:b", "mp0": "old:vm-1-disk-0,mp=/srv/photos,size=1G"}, ["mp0", "mp1", "mp10", "unused0"]),
        ({**CONFIG, "mp0": f"{CONFIG['mp0']},backup=1"}, ["mp10", "unused0"]),
    ],
)  # fmt: skip
def test_a_restore_destroys_every_volume_whose_path_is_not_in_the_archive(
    archive: dict[str, str], lost: list[str]
) -> None:
    assert [one.key for one in find_unarchived(CONFIG, archive)] == lost


def test_a_configuration_file_is_read_without_its_snapshots() -> None:
    text = "#a: comment\narch: amd64\nrootfs: local:x,size=4G\n\n[before]\nrootfs: local:y,size=2G\n"
    assert parse_configuration(text) == {"arch": "amd64", "rootfs": "local:x,size=4G"}
