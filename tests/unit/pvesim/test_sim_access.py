"""Who may what."""

import pytest

from tests.pvesim.instant import InstantProxmox
from tests.pvesim.model.errors import ApiError
from tests.pvesim.model.tickets import identify, is_csrf, make_csrf, make_ticket, read_ticket
from tests.unit.pvesim.containers import DEBIAN, LXC, NET, create

APP = "root@pam!app"
ALICE = "alice@pve!t1"


@pytest.fixture
def alice(demo: InstantProxmox) -> InstantProxmox:
    demo.post("/access/users", userid="alice@pve", password="alice-secret")
    demo.post("/access/users/alice@pve/token/t1", privsep=0)
    return demo


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"features": "nesting=1,keyctl=1"}, "changing feature flags (except nesting) is only allowed for root@pam"),
        ({"features": "nesting=1", "unprivileged": 0}, "changing feature flags for privileged container is only allowed for root@pam"),
        ({"mp0": "/srv,mp=/srv", "rootfs": "local:4"}, "mount point type bind is only allowed for root@pam"),
        ({"hookscript": "local:snippets/x.sh"}, "changing the hookscript is only allowed for root@pam"),
        ({"dev0": "/dev/kvm"}, "configuring device passthrough is only allowed for root@pam"),
    ],
)  # fmt: skip
def test_a_token_of_root_is_not_root(demo: InstantProxmox, options: dict[str, object], what: str) -> None:
    with pytest.raises(ApiError) as caught:
        demo.request("POST", LXC, {"vmid": 9000, "ostemplate": DEBIAN, **options}, user=APP)
    assert (caught.value.status, caught.value.reason) == (403, f"Permission check failed ({what})")


def test_a_token_of_root_may_do_the_rest(demo: InstantProxmox) -> None:
    status = demo.run("POST", LXC, user=APP, vmid=9000, ostemplate=DEBIAN, features="nesting=1", net0=NET)
    assert status == "OK"
    assert demo.run("POST", f"{LXC}/9000/status/start", user=APP) == "OK"


def test_without_rights_nothing_is_seen_and_the_missing_one_is_named(alice: InstantProxmox) -> None:
    create(alice)
    assert alice.get("/nodes/pve1/lxc", user=ALICE) == []
    assert alice.get("/cluster/resources", user=ALICE, type="vm") == []
    for verb, path, missing in [
        ("GET", f"{LXC}/9000/config", "/vms/9000, VM.Audit"),
        ("POST", f"{LXC}/9000/status/start", "/vms/9000, VM.PowerMgmt"),
        ("GET", "/nodes/pve1/status", "/nodes/pve1, Sys.Audit"),
    ]:
        with pytest.raises(ApiError) as caught:
            alice.request(verb, path, user=ALICE)
        assert caught.value.reason == f"Permission check failed ({missing})"


def test_a_role_on_a_path_reaches_what_lies_below_it(alice: InstantProxmox) -> None:
    create(alice)
    alice.post("/access/roles", roleid="Runner", privs="VM.Audit,VM.PowerMgmt")
    alice.put("/access/acl", path="/vms", users="alice@pve", roles="Runner")
    assert alice.run("POST", f"{LXC}/9000/status/start", user=ALICE) == "OK"
    with pytest.raises(ApiError, match=r"/vms/9000, VM\.Allocate"):
        alice.delete(f"{LXC}/9000", user=ALICE)


def test_a_separated_token_has_only_what_both_have(alice: InstantProxmox) -> None:
    create(alice)
    alice.post("/access/users/alice@pve/token/t2", privsep=1)
    alice.put("/access/acl", path="/vms", users="alice@pve", roles="PVEVMAdmin")
    with pytest.raises(ApiError, match="Permission check failed"):
        alice.get(f"{LXC}/9000/config", user="alice@pve!t2")
    alice.put("/access/acl", path="/vms", tokens="alice@pve!t2", roles="PVEAuditor")
    assert alice.get(f"{LXC}/9000/config", user="alice@pve!t2")
    with pytest.raises(ApiError):
        alice.post(f"{LXC}/9000/status/start", user="alice@pve!t2")


def test_least_privileges_suffice_to_deploy_and_back_up(alice: InstantProxmox) -> None:
    rights = {
        "/vms": "VM.Allocate,VM.Audit,VM.Backup,VM.Clone,VM.Config.CPU,VM.Config.Disk,VM.Config.Memory,VM.Config.Network,VM.Config.Options,VM.Console,VM.PowerMgmt,VM.Snapshot",
        "/storage": "Datastore.AllocateSpace,Datastore.AllocateTemplate,Datastore.Audit",
        "/nodes": "Sys.Audit",
        "/sdn/zones/localnetwork": "SDN.Use",
    }  # fmt: skip
    for number, (path, privileges) in enumerate(rights.items()):
        alice.post("/access/roles", roleid=f"Role{number}", privs=privileges)
        alice.put("/access/acl", path=path, users="alice@pve", roles=f"Role{number}")
    options = {"features": "nesting=1", "net0": NET, "cores": 2, "memory": 512, "tags": "proximity"}
    assert alice.run("POST", LXC, user=ALICE, vmid=9000, ostemplate=DEBIAN, **options) == "OK"
    assert alice.run("POST", f"{LXC}/9000/status/start", user=ALICE) == "OK"
    assert alice.run("POST", "/nodes/pve1/vzdump", user=ALICE, vmid=9000, storage="backup") == "OK"
    assert alice.post(f"{LXC}/9000/termproxy", user=ALICE)["user"] == ALICE


def test_tickets_are_genuine_young_and_need_a_csrf_token_to_write(demo: InstantProxmox) -> None:
    cluster = demo.cluster
    ticket = make_ticket(cluster, "root@pam")
    assert read_ticket(cluster, ticket) == "root@pam"
    assert read_ticket(cluster, ticket[:-3] + "AAA") is None
    csrf = make_csrf(cluster, "root@pam")
    assert is_csrf(cluster, "root@pam", csrf)
    assert identify(cluster, verb="POST", cookie=ticket, authorization="", csrf=csrf) == "root@pam"
    with pytest.raises(ApiError, match="invalid csrf token"):
        identify(cluster, verb="POST", cookie=ticket, authorization="", csrf="")
    demo.time += 2 * 3600 + 1
    assert read_ticket(cluster, ticket) is None


def test_a_token_without_its_secret_is_nobody(demo: InstantProxmox) -> None:
    with pytest.raises(ApiError, match="Authentication failed!"):
        identify(demo.cluster, verb="GET", cookie=None, authorization=f"PVEAPIToken={APP}=wrong", csrf="")
