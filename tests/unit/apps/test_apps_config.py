from __future__ import annotations

from typing import Any

import pytest
import yaml

from services.apps.domain.compose import render_env_file, republish
from services.apps.domain.config import parse_config
from services.apps.domain.deployment import choose_runtime
from services.apps.domain.errors import NotAvailableError
from services.apps.usecases.events import parse_event_id
from services.clients.inventory.values import Placement
from services.common.core.errors import InvalidError


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({"memory": 63}, "config.memory"),
        ({"memory": 524_289}, "config.memory"),
        ({"memory": True}, "config.memory"),
        ({"cores": 1.5}, "config.cores"),
        ({"disk_size": 0}, "config.disk_size"),
        ({"swap": -1}, "config.swap"),
        ({"port": 65_536}, "config.port"),
        ({"runtime": "vm"}, "config.runtime"),
        ({"network": "wifi"}, "config.network"),
        ({"vlan": 4095}, "config.vlan"),
        ({"image": ""}, "config.image"),
        ({"ram": 1}, "config.ram"),
    ],
)
def test_what_is_not_valid_is_named(raw: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidError) as refusal:
        parse_config(raw)
    assert [violation.field for violation in refusal.value.violations] == [field]


def test_every_fault_is_reported_at_once() -> None:
    with pytest.raises(InvalidError) as refusal:
        parse_config({"memory": 1, "cores": 0, "x": 1})
    assert len(refusal.value.violations) == 3


def test_numbers_from_json_are_whole_numbers() -> None:
    config = parse_config({"memory": 512.0, "swap": 0, "runtime": "auto"})
    assert (config.memory, config.swap, config.requested_runtime) == (512, 0, "")


def test_a_definition_is_published_on_another_port_and_else_unchanged() -> None:
    compose = yaml.safe_dump(
        {
            "services": {
                "web": {"image": "a", "ports": ["8100:80", "127.0.0.1:8100:81/tcp", "9000:8100", 8100]},
                "db": {"image": "b", "ports": [{"target": 8100, "published": "8100"}]},
            }
        }
    )
    services = yaml.safe_load(republish(compose, 8100, new=8200))["services"]
    assert services["web"]["ports"] == ["8200:80", "127.0.0.1:8200:81/tcp", "9000:8100", 8100]
    assert services["db"]["ports"] == [{"target": 8100, "published": "8200"}]


def test_values_are_quoted_so_that_nothing_in_them_has_a_meaning() -> None:
    text = render_env_file({"A": "a b#c $D", "B": 'it\'s $5 \\ "x"'})
    assert text == 'A=\'a b#c $D\'\nB="it\'s \\$5 \\0134 \\"x\\""\n'


@pytest.mark.parametrize(
    ("text", "expected"), [("12", 12), ("", None), ("x", None), ("-1", None), ("9" * 30, None)]
)
def test_only_our_own_event_ids_count(text: str, expected: int | None) -> None:
    assert parse_event_id(text) == expected


@pytest.mark.parametrize(
    ("asked", "offered", "place", "runtime"),
    [
        ("", ("compose", "oci"), {}, "compose"),
        ("", ("oci", "compose"), {}, "oci"),
        ("oci", ("compose", "oci"), {}, "oci"),
        ("oci", ("compose", "oci"), {"oci": False}, "compose"),
        ("", ("oci", "compose"), {"oci": False}, "compose"),
        ("", ("compose", "oci"), {"exec_mode": "none"}, "oci"),
    ],
)
def test_an_app_runs_as_asked_or_as_its_place_can(
    asked: str, offered: tuple[str, ...], place: dict[str, Any], runtime: str
) -> None:
    there = make_place(**place)
    chosen, reason = choose_runtime(asked, offered, place=there)
    assert chosen == runtime
    assert bool(reason) == bool(place)
    assert not reason or "pve1" in reason


@pytest.mark.parametrize(
    ("asked", "offered", "place"),
    [
        ("", ("oci",), {"oci": False}),
        ("compose", ("compose", "oci"), {"exec_mode": "none"}),
        ("", ("compose",), {"exec_mode": "none"}),
        ("oci", ("compose", "oci"), {"oci": False, "exec_mode": "none"}),
    ],
)
def test_an_app_that_its_place_cannot_run_is_refused(
    asked: str, offered: tuple[str, ...], place: dict[str, Any]
) -> None:
    with pytest.raises(NotAvailableError, match="pve1"):
        choose_runtime(asked, offered, place=make_place(**place))


def make_place(**changes: Any) -> Placement:
    known = {"host_id": 1, "node": "pve1", "oci": True, "oci_reason": "too old", "exec_mode": "ssh"}
    return Placement(**{**known, **changes})
