"""Disks as a real server shows them: growth, the file system on a volume, what tasks log about both."""

from tests.pvesim.instant import InstantProxmox
from tests.unit.pvesim.containers import LXC, create, refuse

GIB = 1 << 30
RESIZE = f"{LXC}/9000/resize"


def get_maxdisk(pve: InstantProxmox) -> int:
    return int(pve.get(f"{LXC}/9000/status/current")["maxdisk"])


def list_lines(pve: InstantProxmox, kind: str) -> list[str]:
    [task] = [one for one in pve.cluster.tasks.values() if one.type == kind]
    return list(task.lines)


def test_a_disk_does_not_grow_to_its_present_size(demo: InstantProxmox) -> None:
    create(demo, rootfs="local:4")
    refused = refuse(demo, "PUT", RESIZE, disk="rootfs", size="4G")
    assert (refused.status, refused.reason) == (500, "disk is already at specified size")
    assert refuse(demo, "PUT", RESIZE, disk="rootfs", size="+0G").reason == refused.reason


def test_a_running_container_shows_its_file_system_and_a_stopped_one_its_volume(demo: InstantProxmox) -> None:
    create(demo, rootfs="local:2")
    assert get_maxdisk(demo) == 2 * GIB
    demo.run("POST", f"{LXC}/9000/status/start")
    assert 0.94 * 2 * GIB < get_maxdisk(demo) < 0.96 * 2 * GIB
    [listed] = [one for one in demo.get("/nodes/pve1/lxc") if one["vmid"] == 9000]
    assert listed["maxdisk"] == get_maxdisk(demo)


def test_a_file_system_that_does_not_grow_is_only_a_line_in_the_log(demo: InstantProxmox) -> None:
    create(demo, rootfs="local:2", start=1)
    before = get_maxdisk(demo)
    demo.cluster.nodes["pve1"].missing.append("resize2fs")
    assert demo.run("PUT", RESIZE, disk="rootfs", size="3G") == "OK"
    assert get_maxdisk(demo) == before
    assert "size=3G" in demo.get(f"{LXC}/9000/config")["rootfs"]
    lines = list_lines(demo, "resize")
    assert any(line.startswith("Failed to update the container's filesystem: ") for line in lines)
    demo.cluster.nodes["pve1"].missing.clear()
    assert demo.run("PUT", RESIZE, disk="rootfs", size="4G") == "OK"
    assert get_maxdisk(demo) > 0.9 * 4 * GIB


def test_a_clones_description_ends_with_one_line_break(demo: InstantProxmox) -> None:
    create(demo)
    assert demo.run("POST", f"{LXC}/9000/clone", newid=9001, description="of mine\n") == "OK"
    assert demo.get(f"{LXC}/9001/config")["description"] == "of mine\n"


def test_a_creation_logs_the_files_of_directories_and_the_path_of_the_archive(demo: InstantProxmox) -> None:
    create(demo, rootfs="local:1")
    lines = list_lines(demo, "vzcreate")
    assert lines[0].startswith(
        "Formatting '/var/lib/vz/images/9000/vm-9000-disk-0.raw', fmt=raw size=1073741824"
    )
    assert lines[1] == "Creating filesystem with 262144 4k blocks and 65536 inodes"
    assert lines[4] == "\t32768, 98304, 163840, 229376"
    assert lines[5].startswith("extracting archive '/var/lib/vz/template/cache/debian-12-standard")
    assert lines[6].startswith("Total bytes read: ")


def test_images_of_unknown_distributions_need_to_be_called_unmanaged(demo: InstantProxmox) -> None:
    pull = "/nodes/pve1/storage/local/oci-registry-pull"
    for vmid, image, reason in (
        (9000, "distroless/static", "unable to detect OS distribution"),
        (9001, "distroless/base", "unable to read version info"),
    ):
        assert demo.run("POST", pull, reference=f"gcr.io/{image}:1", filename=str(vmid)) == "OK"
        archive = f"local:vztmpl/{vmid}.tar"
        assert create(demo, vmid, ostemplate=archive) == f"unable to create CT {vmid} - {reason}"
        assert create(demo, vmid, ostemplate=archive, ostype="unmanaged") == "OK"
        assert demo.get(f"{LXC}/{vmid}/config")["ostype"] == "unmanaged"


def test_a_pulled_image_has_the_name_given_and_an_ending(demo: InstantProxmox) -> None:
    pull = "/nodes/pve1/storage/local/oci-registry-pull"
    assert demo.run("POST", pull, reference="redis:7", filename="mine.tar") == "OK"
    assert refuse(demo, "POST", pull, reference="redis:7", filename="mine.tar").reason == (
        "refusing to override existing file 'mine.tar.tar'"
    )
    assert {one.id for one in demo.cluster.tasks.values()} == {"mine.tar.tar"}


def test_a_start_warns_of_an_address_that_proxmox_asked_for_and_did_not_get(demo: InstantProxmox) -> None:
    create(demo, net0="name=eth0,bridge=vmbr0,ip=dhcp,host-managed=1")
    demo.cluster.dhcp = False
    assert demo.run("POST", f"{LXC}/9000/status/start") == "WARNINGS: 1"
    assert any("DHCP failed" in line for line in list_lines(demo, "vzstart"))
