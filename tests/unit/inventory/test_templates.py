"""Which template a container is made of: official, for the node's architecture, whatever the order of the list."""

from __future__ import annotations

from itertools import permutations

import pytest

from services.inventory.domain.templates import (
    can_run,
    choose_suitable,
    find_beginning,
    find_named,
    find_package,
    parse_architecture,
    parse_template,
)

D12 = "local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst"
D13 = "local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst"
D13_ARM = "local:vztmpl/debian-13-standard_13.2-1_arm64.tar.zst"
D13_NINE = "local:vztmpl/debian-13-standard_13.9-1_amd64.tar.zst"
D13_TEN = "local:vztmpl/debian-13-standard_13.10-1_amd64.tar.zst"
HARDENED = "local:vztmpl/debian-13-standard-hardened_14.1-1_amd64.tar.zst"
OWN = "local:vztmpl/debian-13-standard-hardened-20260801.tar.gz"
TURNKEY = "local:vztmpl/debian-12-turnkey-nginx-php-fastcgi_18.1-1_amd64.tar.gz"
ALPINE = "local:vztmpl/alpine-3.22-default_20250617_amd64.tar.xz"
EDGE = "local:vztmpl/alpine-3.23-edge_20260101_amd64.tar.xz"


@pytest.mark.parametrize(
    ("names", "architecture", "chosen"),
    [
        ([D13, D13_ARM, D12], "amd64", D13),
        ([D13, D13_ARM, D12], "arm64", D13_ARM),
        ([D13_ARM, D12], "amd64", D12),
        ([D13, HARDENED, OWN], "amd64", D13),
        ([HARDENED, OWN, TURNKEY, EDGE], "amd64", ""),
        ([HARDENED, EDGE, ALPINE], "amd64", ALPINE),
        ([D13_NINE, D13_TEN, D13], "amd64", D13_TEN),
        ([D13, D13.replace("local:", "nas:")], "amd64", D13.replace("local:", "nas:")),
    ],
)
def test_a_suitable_one_is_official_and_runs_there(names: list[str], architecture: str, chosen: str) -> None:
    for order in permutations(names):
        assert choose_suitable(order, architecture) == chosen


def test_a_package_is_found_by_its_whole_name() -> None:
    names = [D13, D13_ARM, D13_TEN, HARDENED, OWN]
    for order in permutations(names):
        assert find_package(order, "debian-13-standard", architecture="amd64") == D13_TEN
        assert find_package(order, "debian-13-standard_13.1-2", architecture="amd64") == D13
        assert find_package(order, "debian-13", architecture="amd64") == ""
        assert find_beginning(order, "debian-13", architecture="amd64") == D13_TEN
        assert find_beginning(order, "debian-1", architecture="amd64") == ""
        assert find_beginning(order, "debian-13-standard-hardened", architecture="arm64") == OWN


def test_a_named_one_is_found_by_volume_id_and_by_file() -> None:
    image = "local:vztmpl/adminer_4.8.2.tar.tar"
    names = [D13, image]
    assert find_named(names, D13) == D13
    assert find_named(names, "debian-13-standard_13.1-2_amd64.tar.zst") == D13
    assert find_named(names, "local:vztmpl/adminer_4.8.2.tar") == image
    assert find_named(names, "local:vztmpl/debian-13-standard") == ""
    assert find_named(names, "nas:vztmpl/adminer_4.8.2.tar") == ""


def test_an_architecture_is_read_only_where_it_is_one() -> None:
    assert parse_template(D13_ARM).architecture == "arm64"
    assert parse_template(OWN).architecture == ""
    assert parse_template("local:vztmpl/my_app_v2.tar.gz").architecture == ""
    assert [parse_architecture(one) for one in ("x86_64", "aarch64", "", "odd")] == [
        "amd64",
        "arm64",
        "amd64",
        "amd64",
    ]
    old = parse_template("local:vztmpl/debian-9-standard_9.7-1_i386.tar.gz")
    assert can_run(old, "amd64")
    assert not can_run(parse_template(D13_ARM), "amd64")
