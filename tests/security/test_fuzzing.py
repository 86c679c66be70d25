"""Every parser of foreign text takes anything at all: it gives a value or its own refusal, in time that does not explode."""

from __future__ import annotations

import ipaddress
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.apps.domain.config import AppConfig, parse_config
from services.apps.domain.entities import App
from services.apps.usecases.events import parse_event_id
from services.clients.inventory.tasks import parse_upid
from services.clients.inventory.values import TaskKind
from services.common.core.errors import DomainError, InvalidError
from services.common.core.telemetry.metrics import template_of
from services.common.rpc.call import parse_address, parse_cookies, parse_network
from services.common.rpc.server_context import Peers
from services.inventory.domain.container_spec import ContainerSpec
from services.inventory.domain.ports import parse_listeners
from services.inventory.proxmox.archives import _read_vmid
from services.inventory.proxmox.creation_options import render_network
from services.inventory.proxmox.marks import add_marks, drop_marks, find_owner, split_tags
from services.inventory.proxmox.task_log import explain_failure, find_failed_growth, parse_backup_job
from services.inventory.proxmox.tasks import _find_percent
from tests.security.strategies import FUZZ, PUNCTUATED, TEXT, TREES, check_reason


@FUZZ
@given(st.lists(PUNCTUATED | st.builds("INFO: creating vzdump archive '{}'".format, TEXT), max_size=5))
def test_task_logs_and_archive_names(lines: list[str]) -> None:
    assert isinstance(parse_backup_job(lines).volume_id, str)
    assert explain_failure(lines, "job errors").endswith(("job errors", "job errors)"))
    assert isinstance(find_failed_growth(lines), str)
    percent = _find_percent(lines)
    assert percent is None or 0 <= percent <= 100


@FUZZ
@given(st.builds("{}:backup/vzdump-lxc-{}-{}.tar{}".format, PUNCTUATED, TEXT, TEXT, PUNCTUATED) | TEXT)
def test_vzdump_names(volume: str) -> None:
    assert _read_vmid({"volid": volume}) >= 0


@FUZZ
@given(TEXT | PUNCTUATED, st.text(alphabet="proximity-;, abc", max_size=60))
def test_descriptions_and_tags_never_claim_more_than_one_owner(description: str, tags: str) -> None:
    config = {"description": description, "tags": tags}
    marked = add_marks(config, "app-1")
    assert find_owner(marked) == "app-1"
    assert find_owner(drop_marks(marked)) is None
    assert "proximity" in split_tags(marked["tags"])


@FUZZ
@given(st.text(alphabet="0123456789abcdef.:/%,=dhcpgw\n ", max_size=50), PUNCTUATED)
def test_net0_has_one_address_and_no_more_options_than_ours(cidr: str, gateway: str) -> None:
    wanted = ContainerSpec(hostname="x", memory_mb=64, cores=1, disk_gb=1, network_cidr=cidr)
    try:
        option = render_network(wanted)
    except InvalidError:
        return
    names = [part.partition("=")[0] for part in option.split(",")]
    assert names in (["name", "bridge", "ip"], ["name", "bridge", "ip6"])


UPIDS = st.builds(
    "UPID:{}:{:08X}:{:08X}:{:08X}:{}:{}:root@pam:".format,
    PUNCTUATED, st.integers(0, 2**36), st.integers(0, 2**36), st.integers(0, 2**32), PUNCTUATED, PUNCTUATED,
)  # fmt: skip


@FUZZ
@given(PUNCTUATED | TEXT | UPIDS)
def test_task_ids(upid: str) -> None:
    parsed = parse_upid(1, upid)
    assert (parsed.task.host_id, parsed.task.upid) == (1, upid)
    assert parsed.task.node in upid
    assert parsed.kind is TaskKind.OTHER or parsed.kind.value in upid
    path = f"/nodes/pve/tasks/{upid.replace('/', '') or 'UPID:'}/status"
    assert template_of(path) == "/nodes/{}/tasks/{}/status"  # a label of metrics is not made for each task


@FUZZ
@given(PUNCTUATED)
def test_volumes_and_snapshots_are_no_labels_of_metrics(name: str) -> None:
    path = f"/nodes/pve/storage/pbs/content/pbs:backup/{name}".replace("\n", "")
    assert template_of(path) == "/nodes/{}/storage/{}/content/{}"
    path = f"/nodes/pve/lxc/100/snapshot/s{name.replace('/', '')}/rollback"
    assert template_of(path) == "/nodes/{}/lxc/{}/snapshot/{}/rollback"


@FUZZ
@given(PUNCTUATED | TEXT)
def test_lists_of_listening_ports(text: str) -> None:
    assert all(isinstance(port, int) and port >= 0 for port, _ in parse_listeners(text))


@FUZZ
@given(
    st.dictionaries(
        st.sampled_from(["memory", "cores", "image", "runtime", "port"]) | TEXT, TREES, max_size=4
    )
)
def test_configurations_of_deployments(raw: dict[str, Any]) -> None:
    try:
        parsed = parse_config(raw)
    except InvalidError as error:
        check_reason(error)
        return
    assert parse_config(parsed.to_json()) == AppConfig.from_json(parsed.to_json()) == parsed


@FUZZ
@given(PUNCTUATED | TEXT)
def test_headers_and_addresses(text: str) -> None:
    assert isinstance(parse_cookies(text), dict)
    assert len(parse_address(text)) <= 100
    assert isinstance(parse_network(text), str)
    assert parse_event_id(text) is None or parse_event_id(text) == int(text)
    assert Peers(gateways=("10.0.0.0/8",)).is_gateway("", f"ipv4:{text}:5") in {True, False}


@FUZZ
@given(st.ip_addresses(v=4) | st.ip_addresses(v=6), st.integers(1, 65535))
def test_only_addresses_of_the_gateway_s_networks_are_gateways(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int
) -> None:
    shown = f"ipv4:{address}:{port}" if address.version == 4 else f"ipv6:%5B{address}%5D:{port}"
    networks = [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8")]
    inside = any(address in network for network in networks if network.version == address.version)
    assert Peers(gateways=("10.0.0.0/8", "fd00::/8")).is_gateway("", shown) == inside


def test_a_float_that_is_no_number_does_not_pass_for_a_size() -> None:
    for value in (math.nan, math.inf, -math.inf, 1e308):
        with pytest.raises(DomainError):
            parse_config({"memory": value})


def test_an_app_s_secrets_are_not_in_its_representation() -> None:
    fields = App.__dataclass_fields__
    assert fields["environment"].repr is False
