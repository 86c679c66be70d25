"""A place for a container suits the architecture of the app's images and can give the devices that it needs."""

from __future__ import annotations

import dataclasses

import pytest

from services.inventory.domain.devices import is_passed, render_devices
from services.inventory.domain.errors import NodeUnsuitableError
from services.inventory.domain.placement import Candidate, PlacementRequest, rank_candidates

GIB = 2.0**30


def make_node(name: str, **changes: object) -> Candidate:
    node = Candidate(
        1, "home", name, online=True, free_memory=4 * GIB, version="9.2.11", storages={"fast": 10 * GIB}
    )
    return dataclasses.replace(node, **{"architecture": "amd64", "is_full_root": True, **changes})  # type: ignore[arg-type]


AMD, ARM = make_node("a"), make_node("b", architecture="arm64", free_memory=64 * GIB)


@pytest.mark.parametrize(
    ("architectures", "node"),
    [
        (("amd64",), "a"),
        (("386",), "a"),
        (("arm64",), "b"),
        (("arm",), "b"),
        (("amd64", "arm64"), "b"),
        ((), "b"),
    ],
)
def test_a_node_of_an_architecture_of_the_images_is_chosen(architectures: tuple[str, ...], node: str) -> None:
    assert rank_candidates([AMD, ARM], PlacementRequest(architectures=architectures))[0].node == node


def test_no_node_of_an_architecture_is_refused_with_a_sentence() -> None:
    with pytest.raises(
        NodeUnsuitableError, match="node b is arm64, and the images of the app are for 386, amd64"
    ) as caught:
        rank_candidates([AMD, ARM], PlacementRequest(node="b", architectures=("amd64", "386")))
    assert [one.field for one in caught.value.violations] == ["node"]
    with pytest.raises(NodeUnsuitableError):
        rank_candidates([ARM], PlacementRequest(architectures=("amd64",)))


def test_a_node_whose_architecture_is_not_known_is_taken_at_its_word() -> None:
    assert (
        rank_candidates([make_node("c", architecture="")], PlacementRequest(architectures=("arm64",)))[0].node
        == "c"
    )


def test_devices_need_root_with_its_password_and_a_release_that_passes_them() -> None:
    wish = PlacementRequest(devices=("/dev/net/tun",))
    token = make_node("t", is_full_root=False, free_memory=64 * GIB)
    old = make_node("o", version="8.1.4", free_memory=64 * GIB)
    assert rank_candidates([token, old, AMD], wish)[0].node == "a"
    with pytest.raises(
        NodeUnsuitableError, match=r"only root@pam with its password.*register host home with root@pam"
    ):
        rank_candidates([token], wish)
    with pytest.raises(NodeUnsuitableError, match=r"needs Proxmox VE 8\.2 or newer"):
        rank_candidates([old], wish)
    with pytest.raises(NodeUnsuitableError, match="/dev/sda is no device that containers are given"):
        rank_candidates([AMD], PlacementRequest(devices=("/dev/sda",)))


def test_devices_are_options_of_proxmox() -> None:
    assert render_devices(["/dev/net/tun", "/dev/dri", "/dev/dri/renderD128"]) == {
        "dev0": "/dev/net/tun,mode=0666",
        "dev1": "/dev/dri/renderD128,mode=0666",
    }


@pytest.mark.parametrize(
    "device", ["/dev/mem", "/dev/kvm", "/dev/net/tun,uid=0", "/dev/dri/../mem", "/dev/dri/card0 "]
)
def test_other_devices_are_given_to_no_container(device: str) -> None:
    assert not is_passed(device)
