"""Every parser of foreign text takes anything at all: it gives a value or its own refusal, in time that does not explode."""

from __future__ import annotations

import ipaddress
import json
import math
import time
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.apps.domain.config import AppConfig, parse_config
from services.apps.domain.entities import App
from services.apps.usecases.events import parse_event_id
from services.catalog.config import DATA
from services.catalog.convert.items import render_icon
from services.catalog.domain.images import find_image, find_tag_fault
from services.catalog.domain.importers.collection import import_collection
from services.catalog.domain.item_files.document import UnreadableDocumentError, parse_document
from services.catalog.domain.item_files.loader import load_items
from services.catalog.domain.renderer import compose
from services.catalog.domain.renderer.host_needs import list_host_needs
from services.catalog.domain.renderer.interpolation import (
    InterpolationError,
    interpolate_text,
    list_variables,
)
from services.catalog.domain.sources import SourceFormat
from services.catalog.sources.own_files import OwnFiles
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

FUZZ = settings(
    max_examples=150,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
LIMIT_S = 300.0
TEXT = st.text(max_size=200)
PUNCTUATED = st.text(alphabet="abzAZ019:/.,=-_$@{}[]()|'\"\\ \t\n*&!%#?<>~+äß漢\u202e", max_size=120)
TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | PUNCTUATED,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(PUNCTUATED, inner, max_size=4),
    max_leaves=20,
)
WORDS = st.sampled_from(
    [
        *(
            "services",
            "image",
            "ports",
            "volumes",
            "environment",
            "x-casaos",
            "templates",
            "type",
            "title",
            "name",
        ),
        *(
            "id",
            "form_fields",
            "version",
            "command",
            "privileged",
            "network_mode",
            "devices",
            "docker-compose.yml",
        ),
        *(
            "schemaVersion",
            "internalPort",
            "isMain",
            "app_proxy",
            "main",
            "port_map",
            "categories",
            "repository",
        ),
    ]
)
LIKELY = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 99_999) | PUNCTUATED | WORDS | st.just("nginx:1.27"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | PUNCTUATED, inner, max_size=5),
    max_leaves=25,
)


def check_reason(refusal: Exception) -> None:
    """A refusal says why."""
    assert len(str(refusal)) > 3


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
@given(
    PUNCTUATED | st.builds("icons/{}{}".format, st.sampled_from(["../", "%2e%2e/", "//", "\\"]), PUNCTUATED)
)
def test_an_icon_is_a_file_of_the_icons_or_none(icon: str) -> None:
    found = OwnFiles(DATA).find_icon(icon.replace("\0", ""))
    assert found is None or (DATA / icon).resolve().is_relative_to(DATA / "icons")


@pytest.mark.parametrize(
    "icon",
    ["../items/nginx.yaml", "icons/../nginx.yaml", "/etc/passwd", "icons/../../../__init__.py", "icons", ""],
)
def test_no_icon_leads_out_of_its_folder(icon: str) -> None:
    assert OwnFiles(DATA).find_icon(icon) is None


@pytest.mark.parametrize(
    "icon",
    [
        "http://169.254.169.254/latest",
        "javascript:alert(1)",
        "data:text/html,x",
        "//evil.example/i",
        "file:///etc",
    ],
)
def test_an_icon_elsewhere_is_named_by_https_and_never_fetched_here(icon: str) -> None:
    item = next(iter(load_items(OwnFiles(DATA).read_item_files(), source="https://items.example").items)).item
    assert render_icon(replace(item, icon=icon)) == ""
    assert render_icon(replace(item, icon="https://cdn.example/i.svg")) == f"/api/catalog/{item.id}/icon"


@FUZZ
@given(PUNCTUATED | TEXT)
def test_lists_of_listening_ports(text: str) -> None:
    assert all(isinstance(port, int) and port >= 0 for port, _ in parse_listeners(text))


@FUZZ
@given(PUNCTUATED | st.builds("{}/{}:{}@sha256:{}".format, PUNCTUATED, TEXT, TEXT, TEXT))
def test_image_references(text: str) -> None:
    fault = find_tag_fault(text, pinned=True)
    assert fault is None or isinstance(fault, str)
    assert find_image(text) is not None or fault


@FUZZ
@given(st.binary(max_size=300) | PUNCTUATED.map(str.encode) | TREES.map(yaml.safe_dump).map(str.encode))
def test_documents(data: bytes) -> None:
    try:
        document = parse_document(data, "x.yaml")
    except UnreadableDocumentError as error:
        check_reason(error)
        return
    json.dumps(document.value)


@FUZZ
@given(st.lists(PUNCTUATED | LIKELY, max_size=4))
def test_ports_and_mounts_of_compose(entries: list[Any]) -> None:
    for parse in (compose.parse_ports, compose.parse_mounts):
        try:
            parse([entry for entry in entries if isinstance(entry, str | dict)])
        except compose.InvalidComposeError as error:
            check_reason(error)
        except (KeyError, TypeError, ValueError, AttributeError):
            # The schema of compose comes first; what it does not let pass is not ours to parse.
            assert any(isinstance(entry, dict) for entry in entries)


@FUZZ
@given(PUNCTUATED | st.text(alphabet="${}:-?+_AB\\", max_size=60))
def test_variables_in_compose(text: str) -> None:
    try:
        list_variables(text)
        assert isinstance(interpolate_text(text, {"A": "$(id)", "B": "${A}"}), str)
    except InterpolationError as error:
        check_reason(error)


FILES = st.sampled_from(
    [
        *(
            "templates.json",
            "a/docker-compose.yml",
            "a/config.json",
            "Apps/a/docker-compose.yml",
            "a/umbrel-app.yml",
        ),
        *(
            "apps/a/config.json",
            "apps/a/docker-compose.yml",
            "apps/a/docker-compose.json",
            "compose.yaml",
            "a.yaml",
        ),
    ]
)
CONTENTS = (
    st.binary(max_size=100)
    | LIKELY.map(lambda tree: json.dumps(tree).encode())
    | LIKELY.map(lambda tree: yaml.safe_dump(tree, allow_unicode=True).encode())
)


@pytest.mark.parametrize("kind", list(SourceFormat))
@settings(FUZZ, max_examples=60)
@given(files=st.dictionaries(FILES, CONTENTS, max_size=4))
def test_collections_give_items_or_reasons(kind: SourceFormat, files: dict[str, bytes]) -> None:
    imported = import_collection(files, source="fuzz", kind=kind)
    assert all(one.error for one in imported.rejections)
    for item in imported.items:
        assert not list_host_needs(item.document["compose"]) or item.document.get("allows")


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


BOMBS = {
    "aliases in aliases": b"a: &a [x,x,x,x,x,x,x,x,x]\n"
    + b"".join(b"%c: &%c [%s]\n" % (98 + n, 98 + n, b",".join([b"*%c" % (97 + n)] * 9)) for n in range(12)),
    "an alias of itself": b"a: &a [*a, *a]\n",
    "depth": b"[" * 100_000,
    "depth of mappings": b"".join(b" " * n + b"a:\n" for n in range(1500)),
    "merge keys": b"a: &a {b: c}\n" + b"\n".join(b"x%d: {<<: [*a, *a, *a, *a]}" % n for n in range(5000)),
    "a long scalar": b'a: "' + b"x" * (2 << 20) + b'"',
    "a long number": b"a: " + b"9" * 400_000,
    "exponents": b"a: 1e" + b"9" * 1000,
    "many documents": b"---\na: 1\n" * 50_000,
    "tags": b"!!python/object/apply:os.system ['id']",
    "a huge key": b"? " + b"[" * 5000,
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
def test_bombs_in_yaml_are_refused_at_once(bomb: bytes) -> None:
    began = time.process_time()
    try:
        size = len(json.dumps(parse_document(bomb, "bomb.yaml").value))
    except UnreadableDocumentError:
        size = 0
    assert time.process_time() - began < LIMIT_S
    assert size < 2_000_000


def test_a_float_that_is_no_number_does_not_pass_for_a_size() -> None:
    for value in (math.nan, math.inf, -math.inf, 1e308):
        with pytest.raises(DomainError):
            parse_config({"memory": value})


def test_an_app_s_secrets_are_not_in_its_representation() -> None:
    fields = App.__dataclass_fields__
    assert fields["environment"].repr is False
