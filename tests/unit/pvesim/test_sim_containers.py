"""Creating, changing, starting and removing containers."""

from typing import Any

import pytest

from tests.pvesim.instant import InstantProxmox
from tests.pvesim.model.entities import Volume
from tests.unit.pvesim.containers import DEBIAN, LXC, NET, create, refuse


def test_a_new_container_has_proxmoxs_defaults_and_normal_form(demo: InstantProxmox) -> None:
    assert create(demo, tags="Web;app,web", description="hello") == "OK"
    config = demo.get(f"{LXC}/9000/config")
    assert config["hostname"] == "CT9000"
    assert (config["memory"], config["swap"], config["unprivileged"]) == (512, 512, 1)
    assert config["tags"] == "app;web"
    assert config["description"] == "hello\n"
    assert config["rootfs"] == "local-lvm:vm-9000-disk-0,size=4G"
    assert config["net0"].startswith("name=eth0,bridge=vmbr0,hwaddr=BC:24:11:")
    assert config["net0"].endswith(",ip=dhcp,type=veth")


def test_a_taken_id_is_refused_at_once_and_nextid_skips_it(demo: InstantProxmox) -> None:
    create(demo)
    assert (
        refuse(demo, "POST", LXC, vmid=9000, ostemplate=DEBIAN).reason
        == "CT 9000 already exists on node 'pve1'"
    )
    assert refuse(demo, "GET", "/cluster/nextid", vmid=9000).errors == {"vmid": "VM 9000 already exists"}
    assert demo.get("/cluster/nextid") == "9001"


def test_while_it_is_made_only_the_lock_is_known(demo: InstantProxmox) -> None:
    demo.hold_tasks = True
    demo.post(LXC, vmid=9000, ostemplate=DEBIAN)
    assert set(demo.get(f"{LXC}/9000/config")) == {"lock", "digest"}
    assert demo.get("/cluster/nextid") == "9001"
    demo.run_tasks()
    assert "lock" not in demo.get(f"{LXC}/9000/config")


def test_a_failed_creation_leaves_nothing(demo: InstantProxmox) -> None:
    before = set(demo.cluster.volumes)
    status = create(demo, ostemplate="local:vztmpl/nope.tar.zst")
    assert status == "unable to create CT 9000 - volume 'local:vztmpl/nope.tar.zst' does not exist"
    assert 9000 not in demo.cluster.containers
    assert set(demo.cluster.volumes) == before


def test_an_interrupted_creation_leaves_nothing(demo: InstantProxmox) -> None:
    demo.hold_tasks = True
    upid = demo.post(LXC, vmid=9000, ostemplate=DEBIAN)
    demo.delete(f"/nodes/pve1/tasks/{upid}")
    demo.run_tasks()
    assert demo.cluster.tasks[upid].exitstatus == "interrupted by signal"
    assert 9000 not in demo.cluster.containers


def test_what_a_crash_interrupts_is_undone_at_the_next_start(demo: InstantProxmox) -> None:
    demo.hold_tasks = True
    upid = demo.post(LXC, vmid=9000, ostemplate=DEBIAN)
    demo.run_tasks(until=lambda: bool(demo.cluster.tasks[upid].recovery))
    demo.cluster.recover_tasks()
    assert 9000 not in demo.cluster.containers
    assert demo.get(f"/nodes/pve1/tasks/{upid}/status")["status"] == "stopped"


@pytest.mark.parametrize(
    ("params", "field", "text"),
    [
        ({"hostname": "my_host"}, "hostname", "invalid format - value does not look like a valid DNS name\n"),
        ({"memory": "1G"}, "memory", "type check ('integer') failed - got '1G'"),
        ({"cores": 8193}, "cores", "value must have a maximum value of 8192"),
        ({"onboot": "True"}, "onboot", "type check ('boolean') failed - got 'True'"),
        ({"net0": "bridge=vmbr0"}, "net0", "invalid format - format error\nnet0.name: property is missing and it is not optional\n"),
        ({"net99": NET}, "net99", "property is not defined in schema and the schema does not allow additional properties"),
        ({"unique": 1}, "restore", "missing property - 'unique' requires this property"),
        ({"features": "nesting=2"}, "features", "invalid format - format error\nfeatures.nesting: type check ('boolean') failed - got '2'\n"),
    ],
)  # fmt: skip
def test_bad_parameters_are_named_in_proxmoxs_words(
    demo: InstantProxmox, params: dict[str, Any], field: str, text: str
) -> None:
    error = refuse(demo, "POST", LXC, vmid=9000, ostemplate=DEBIAN, **params)
    assert (error.status, error.reason) == (400, "Parameter verification failed.")
    assert error.errors == {field: text}


def test_starting_and_stopping_change_what_status_says(demo: InstantProxmox) -> None:
    create(demo)
    assert demo.run("POST", f"{LXC}/9000/status/start") == "OK"
    status = demo.get(f"{LXC}/9000/status/current")
    assert (status["status"], status["pid"] > 0) == ("running", True)
    assert refuse(demo, "POST", f"{LXC}/9000/status/start").reason == "CT 9000 already running"
    assert refuse(demo, "DELETE", f"{LXC}/9000").reason == "unable to destroy CT 9000 - container is running"
    assert demo.run("POST", f"{LXC}/9000/status/shutdown") == "OK"
    assert demo.get(f"{LXC}/9000/interfaces") is None
    assert refuse(demo, "POST", f"{LXC}/9000/status/stop").reason == "CT 9000 not running"
    assert refuse(demo, "POST", f"{LXC}/9000/status/reboot").reason == "VM 9000 not running"


def test_every_running_container_has_an_address_of_its_own(demo: InstantProxmox) -> None:
    for vmid in range(9000, 9020):
        create(demo, vmid, start=1)
    found = [demo.get(f"{LXC}/{vmid}/interfaces")[1]["inet"] for vmid in range(9000, 9020)]
    assert len(set(found)) == len(found)
    assert all(one.startswith("127.") and not one.startswith("127.0.0.1/") for one in found)


def test_a_static_address_is_reported_as_configured(demo: InstantProxmox) -> None:
    create(demo, net0="name=eth0,bridge=vmbr0,ip=127.77.0.9/24,gw=127.77.0.1", start=1)
    assert demo.get(f"{LXC}/9000/interfaces")[1]["inet"] == "127.77.0.9/24"


def test_features_of_a_running_container_wait_for_a_reboot(demo: InstantProxmox) -> None:
    create(demo, start=1)
    demo.put(f"{LXC}/9000/config", features="nesting=1", memory=768)
    assert "features" not in demo.get(f"{LXC}/9000/config", current=1)
    assert demo.get(f"{LXC}/9000/config")["features"] == "nesting=1"
    assert {"key": "features", "pending": "nesting=1"} in demo.get(f"{LXC}/9000/pending")
    assert demo.get(f"{LXC}/9000/config", current=1)["memory"] == 768
    demo.run("POST", f"{LXC}/9000/status/reboot")
    assert demo.get(f"{LXC}/9000/config", current=1)["features"] == "nesting=1"


def test_a_digest_guards_against_edits_in_between(demo: InstantProxmox) -> None:
    create(demo)
    digest = demo.get(f"{LXC}/9000/config")["digest"]
    demo.put(f"{LXC}/9000/config", digest=digest, memory=600)
    error = refuse(demo, "PUT", f"{LXC}/9000/config", digest=digest, memory=700)
    assert error.reason == "detected modified configuration - file changed by other user? Try again."


def test_disks_grow_and_never_shrink(demo: InstantProxmox) -> None:
    create(demo)
    assert demo.run("PUT", f"{LXC}/9000/resize", disk="rootfs", size="+2G") == "OK"
    assert demo.get(f"{LXC}/9000/config")["rootfs"].endswith("size=6G")
    assert (
        refuse(demo, "PUT", f"{LXC}/9000/resize", disk="rootfs", size="1G").reason
        == "unable to shrink disk size"
    )


def test_a_container_moves_with_a_restart(demo: InstantProxmox) -> None:
    create(demo, start=1)
    assert refuse(demo, "POST", f"{LXC}/9000/migrate", target="pve2").status == 500
    assert demo.run("POST", f"{LXC}/9000/migrate", target="pve2", restart=1) == "OK"
    assert demo.get("/nodes/pve2/lxc/9000/status/current")["status"] == "running"
    assert (
        refuse(demo, "GET", f"{LXC}/9000/config").reason
        == "Configuration file 'nodes/pve1/lxc/9000.conf' does not exist"
    )


def test_a_node_that_is_down_answers_595_and_its_containers_are_unknown(demo: InstantProxmox) -> None:
    create(demo)
    demo.cluster.nodes["pve1"].online = False
    error = refuse(demo, "GET", f"{LXC}/9000/config")
    assert (error.status, error.reason, error.empty) == (595, "No route to host", True)
    entry = next(one for one in demo.get("/cluster/resources", type="vm") if one["vmid"] == 9000)
    assert (entry["status"], "name" in entry) == ("unknown", False)
    assert refuse(demo, "GET", "/nodes/nosuch/lxc").reason.startswith("hostname lookup 'nosuch' failed")


@pytest.mark.parametrize("unreferenced", [0, 1])
def test_deletion_takes_disks_that_nobody_refers_to_only_when_asked(
    demo: InstantProxmox, unreferenced: int
) -> None:
    create(demo)
    other = Volume("local", "9000/vm-9000-disk-7.raw", "", "rootdir", 1 << 30, "raw", 0, vmid=9000)
    demo.cluster.add("volumes", other.key, other)
    assert demo.run("DELETE", f"{LXC}/9000", destroy_unreferenced_disks=unreferenced) == "OK"
    left = [one.name for one in demo.cluster.volumes.values() if one.vmid == 9000]
    assert left == ([] if unreferenced else [other.name])
