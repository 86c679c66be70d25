"""Placement, settings, credentials and marks."""

import dataclasses

import pytest

from services.common.core.errors import InvalidError
from services.inventory.domain.entities import Network, NewHost, Secrets, guess_exec_mode
from services.inventory.domain.errors import (
    ImageUnusableError,
    NodeOfflineError,
    NodeUnknownError,
    NoOnlineNodeError,
    NotOursError,
    StorageNotFoundError,
)
from services.inventory.domain.patches import NetworkChanges
from services.inventory.domain.placement import (
    Candidate,
    PlacementRequest,
    find_oci_obstacle,
    rank_candidates,
)
from services.inventory.domain.ports import choose_web_port, parse_listeners
from services.inventory.proxmox.marks import add_marks, check_owner, drop_marks, find_owner
from services.inventory.usecases.pull_image import make_file_name, parse_reference

GIB = 2.0**30


def make_node(name: str, *, online: bool = True, free: float = 4 * GIB) -> Candidate:
    storages = {"fast": 10 * GIB, "slow": 100 * GIB}
    return Candidate(1, "h", name, online, free_memory=free, version="9.2.11", storages=storages)


def test_the_online_node_with_most_free_memory_is_chosen() -> None:
    nodes = [make_node("a"), make_node("b", free=8 * GIB), make_node("c", online=False, free=64 * GIB)]
    assert rank_candidates(nodes, PlacementRequest(memory_mb=512))[0].node == "b"


def test_a_node_that_is_too_full_is_taken_when_there_is_no_other() -> None:
    assert rank_candidates([make_node("a", free=0)], PlacementRequest(memory_mb=512))[0].node == "a"


def test_a_named_node_must_exist_and_be_up() -> None:
    nodes = [make_node("a"), make_node("b", online=False)]
    assert rank_candidates(nodes, PlacementRequest(node="a"))[0].node == "a"
    with pytest.raises(NodeUnknownError):
        rank_candidates(nodes, PlacementRequest(node="x"))
    with pytest.raises(NodeOfflineError):
        rank_candidates(nodes, PlacementRequest(node="b"))
    with pytest.raises(NoOnlineNodeError):
        rank_candidates([make_node("b", online=False)], PlacementRequest())


def test_a_node_with_room_on_the_storage_comes_before_one_with_more_memory() -> None:
    full = dataclasses.replace(make_node("a", free=64 * GIB), storages={"fast": GIB})
    nodes = [full, make_node("b")]
    assert rank_candidates(nodes, PlacementRequest(disk_gb=8))[0].node == "b"
    assert rank_candidates(nodes, PlacementRequest(disk_gb=8, storage="fast"))[0].node == "b"
    assert rank_candidates([full], PlacementRequest(disk_gb=8))[0].node == "a"
    with pytest.raises(StorageNotFoundError, match="'tape'"):
        rank_candidates(nodes, PlacementRequest(storage="tape"))


def test_a_host_whose_credentials_pull_no_images_comes_after_others_for_oci() -> None:
    barred = dataclasses.replace(make_node("a", free=64 * GIB), oci_obstacle="not allowed")
    assert rank_candidates([barred, make_node("b")], PlacementRequest(oci=True))[0].node == "b"
    assert rank_candidates([barred, make_node("b")], PlacementRequest())[0].node == "a"


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("nginx", "nginx:latest"),
        ("registry:5000/a/b", "registry:5000/a/b:latest"),
        ("nginx:1.27@sha256:" + "0" * 64, "nginx:1.27"),
    ],
)
def test_images_are_named_as_proxmox_pulls_them(text: str, reference: str) -> None:
    assert parse_reference(text) == reference
    with pytest.raises(ImageUnusableError):
        parse_reference("nginx@sha256:" + "0" * 64)
    assert make_file_name("a/nginx:1") != make_file_name("b/nginx:1")


def test_oci_needs_proxmox_9_1() -> None:
    assert find_oci_obstacle("9.1.0") == ""
    assert "9.1" in find_oci_obstacle("8.4.1")


@pytest.mark.parametrize(
    "changes",
    [
        NetworkChanges(default_subnet="x"),
        NetworkChanges(default_gateway="192.0.2.1"),
        NetworkChanges(default_dns_primary="8.8.8"),
    ],
)
def test_a_network_that_does_not_fit_together_is_refused(changes: NetworkChanges) -> None:
    with pytest.raises(InvalidError):
        changes.apply_to(Network())


def test_a_host_needs_credentials_that_can_sign_in() -> None:
    with pytest.raises(InvalidError):
        NewHost(name="a", host="h")
    with pytest.raises(InvalidError):
        NewHost(name="a", host="h", token_id="root@pam!x", secrets=Secrets(password="p"))


def test_commands_go_by_ssh_only_with_roots_credentials() -> None:
    modes = [guess_exec_mode(user, has_password=True, has_ssh_key=False) for user in ("root@pam", "a@pve")]
    assert modes == ["ssh", "console"]


def test_marks_are_added_to_what_is_there_and_taken_off_again() -> None:
    config = {"tags": "web;blue", "description": "mine\n"}
    marked = add_marks(config, "app-1")
    assert find_owner(marked) == "app-1"
    check_owner(marked, "app-1", vmid=1)
    with pytest.raises(NotOursError):
        check_owner(marked, "app-2", vmid=1)
    assert drop_marks(marked) == {"tags": "web;blue", "description": "mine\n"}


def test_both_marks_are_needed() -> None:
    assert find_owner({"tags": "proximity"}) is None
    assert find_owner({"description": "proximity-app: a\n"}) is None


def test_listeners_are_read_from_ss_and_netstat() -> None:
    ss = (
        'LISTEN 0 4096 0.0.0.0:80 0.0.0.0:* users:(("nginx",pid=9,fd=6))\nLISTEN 0 1 127.0.0.1:25 0.0.0.0:*\n'
    )
    assert parse_listeners(ss) == [(80, "nginx")]
    netstat = "tcp        0      0 :::3000      :::*      LISTEN      12/node\n"
    assert parse_listeners(netstat) == [(3000, "node")]
    assert choose_web_port([22, 3000, 5432], set()) == 3000
