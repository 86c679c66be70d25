"""Whatever people write stays text: no shell, option, path, query or log takes it for anything else."""

from __future__ import annotations

import json
import re
import socket
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import requests
from proximity.apps.v1 import apps_service_pb2, apps_service_pb2_grpc

from deploy.local.api import Api, PinnedAdapter
from services.common.core.errors import InvalidError
from services.inventory.domain.container_spec import ContainerSpec
from services.inventory.proxmox.creation_options import render_network
from tests.e2e.stack import RunningStack
from tests.security.conftest import LIMIT_S, Platform
from tests.security.principals import register, sign_in

JSON = dict[str, Any]
MARK = "pwn3d"
PAYLOADS = [
    f"$({MARK})",
    f"`{MARK}`",
    f"'; {MARK}; '",
    f'"; {MARK}; "',
    f"'\"'\"'; {MARK} #",
    f"&& {MARK} || {MARK}",
    f"| {MARK} > /tmp/{MARK}",
    f"${{{MARK}}} $${MARK}",
    f"../../../../etc/{MARK}",
    f"' OR '1'='1' -- {MARK}",
    f"<script>{MARK}</script>",
    f"%s%n{{{{{MARK}}}}} \\x00 \\u0000",
]


def list_commands(stack: RunningStack) -> list[JSON]:
    """Every command that reached a simulated node or container."""
    known = stack.simulator
    session = requests.Session()
    session.mount("https://", PinnedAdapter(known["fingerprint"]))
    found: list[JSON] = session.get(f"{known['url']}/_sim/commands", timeout=20).json()
    return found


def read_open_text(line: str) -> str:
    """What a POSIX shell would look into: everything that is not in single quotes."""
    found, quote = [], ""
    characters = iter(line)
    for character in characters:
        if quote == "'":
            quote = "" if character == "'" else quote
        elif character == "\\":
            next(characters, "")
        elif character in "'\"":
            quote = "" if quote == character else quote or character
        else:
            found.append(character)
    return "".join(found)


def test_the_reader_of_shell_text_tells_quoted_from_open() -> None:
    assert MARK not in read_open_text(f"echo 'a $({MARK})' b")
    for line in (f"echo $({MARK})", f'echo "$({MARK})"', f"echo 'a'{MARK}'b'", f"echo 'a'\"'\"'{MARK}"):
        assert MARK in read_open_text(line) or line.endswith(f"'{MARK}")


@pytest.fixture(scope="module")
def api(stack: RunningStack) -> Api:
    return register(stack)[1]


def deploy_with(api: Api, payload: str) -> str:
    body = {
        "catalog_id": "adminer",
        "hostname": f"inj-{uuid.uuid4().hex[:8]}",
        "name": payload[:100],
        "environment": {"ADMINER_DEFAULT_SERVER": payload},
    }
    return str(api.send("POST", "/apps", body, expect=201)["id"])


def test_nothing_that_users_write_is_interpreted_by_a_shell(stack: RunningStack, api: Api) -> None:
    everything = " ".join(PAYLOADS)
    app_id = deploy_with(api, everything)
    app = api.wait_for_app(app_id, wanted="running", timeout=LIMIT_S, watch=lambda _: None)
    assert app["environment"]["ADMINER_DEFAULT_SERVER"] == everything
    note = {"notes": everything[:200], "storage": ""}
    backup = api.send("POST", f"/apps/{app_id}/backups", note, expect=202)["id"]
    api.wait_for_backup(app_id, backup, timeout=LIMIT_S)
    commands = list_commands(stack)
    assert commands, "the deployment reached no node"
    ran = [one for one in commands if one["argv"] and MARK in one["argv"][0]]
    assert ran == []
    # Files go to a node by standard input, so no line of a node's shell holds a user's text at all.
    lines = [one["raw"] for one in commands if MARK in read_open_text(str(one["raw"]))]
    assert lines == []


@pytest.mark.parametrize("payload", PAYLOADS)
def test_searches_and_profiles_take_every_text_as_text(stack: RunningStack, api: Api, payload: str) -> None:
    for path in ("/apps", "/catalog/search"):
        name = "q" if "search" in path else "search"
        query = requests.models.PreparedRequest()
        query.prepare_url("http://x", {name: payload})
        found = api.send("GET", f"{path}?{str(query.url).partition('?')[2]}")
        assert found["total"] <= 1 or path == "/catalog/search"  # one app is called like some of them
    assert api.send("PATCH", "/auth/user", {"bio": payload})["bio"] == payload


@pytest.mark.parametrize("field", ["hostname", "node", "network_cidr", "catalog_id"])
@pytest.mark.parametrize("payload", [PAYLOADS[0], PAYLOADS[2], PAYLOADS[8], "a\nb", "a\x00b", "\u202ex"])
def test_names_that_reach_options_and_paths_are_refused(api: Api, field: str, payload: str) -> None:
    body = {"catalog_id": "adminer", "hostname": f"inj-{uuid.uuid4().hex[:8]}", field: payload}
    answer = api._request("POST", "/apps", body)
    assert answer.status_code == 400, answer.text
    assert "error" in answer.json()


SCOPED = ["fe80::1%a,bridge=vmbr9,tag=7/64", "fe80::1%eth0/64", "10.0.0.5/24,gw=10.0.0.1", "dhcp,tag=7"]


@pytest.mark.parametrize("cidr", SCOPED)
def test_an_address_cannot_bring_options_of_the_network_with_it(api: Api, cidr: str) -> None:
    """Python takes any text as the scope of an IPv6 address; Proxmox would take it as options."""
    body = {"catalog_id": "adminer", "hostname": f"inj-{uuid.uuid4().hex[:8]}", "network_cidr": cidr}
    assert api._request("POST", "/apps", body).status_code == 400
    if "," in cidr:
        with pytest.raises(InvalidError):
            render_network(ContainerSpec(hostname="x", memory_mb=64, cores=1, disk_gb=1, network_cidr=cidr))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ostemplate", "local:backup/vzdump-lxc-100-2026_01_01-00_00_00.tar.zst"),
        ("ostemplate", "/etc/passwd"),
        ("ostemplate", "local:vztmpl/../../../etc/passwd"),
        ("storage", "../../etc"),
        ("storage", "local:100,mp=/etc"),
        ("runtime", "privileged"),
        ("features", "nesting=1,mount=nfs"),
        ("unprivileged", "0"),
        ("memory", 10**9),
        ("cores", -1),
    ],
)
def test_a_deployment_asks_for_nothing_but_what_it_may(api: Api, key: str, value: object) -> None:
    body = {"catalog_id": "adminer", "hostname": f"inj-{uuid.uuid4().hex[:8]}", "config": {key: value}}
    answer = api._request("POST", "/apps", body)
    if answer.status_code == 201:  # only the worker can tell, as it looks at the node
        app_id = answer.json()["id"]
        deadline = time.monotonic() + LIMIT_S
        while api.send("GET", f"/apps/{app_id}")["status"] == "deploying":
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert api.send("GET", f"/apps/{app_id}")["status"] == "error"
        api.send("DELETE", f"/apps/{app_id}", expect=202)
    else:
        assert answer.status_code == 400, answer.text


def list_logs(stack: RunningStack) -> Iterator[Path]:
    yield from sorted((stack.state / "logs").glob("*.log"))


def test_no_text_of_a_user_begins_a_line_of_a_log(stack: RunningStack) -> None:
    mark = f"forged{uuid.uuid4().hex[:8]}"
    line = f'\r\n{{"event":"{mark}","level":"info"}}\r\n\x1b[2J{mark}\n'
    body = {"username": f"x{line}"[:150], "password": line}
    requests.post(f"{stack.url}/api/auth/login", json=body, timeout=20)
    headers = {"Authorization": f"Bearer {mark}", "User-Agent": f"a {mark}"}
    requests.get(f"{stack.url}/api/apps/%0a{mark}%0d%0a{mark}?x=%0a{mark}", headers=headers, timeout=20)
    requests.post(f"{stack.url}/api/apps", data=f'{{"{mark}\n{mark}": ', headers=headers, timeout=20)
    for log in list_logs(stack):
        for text in log.read_text(errors="replace").splitlines():
            assert not text.startswith((mark, f'{{"event":"{mark}', "\x1b"))
    access = (stack.state / "logs" / "access.log").read_text().splitlines()
    assert all(json.loads(text) for text in access[-20:])


def test_bodies_that_are_too_deep_or_too_long_are_refused(stack: RunningStack) -> None:
    headers = {"Authorization": f"Bearer {sign_in(stack)['access']}", "Content-Type": "application/json"}

    def post(data: bytes) -> int:
        return requests.post(f"{stack.url}/api/apps", data=data, headers=headers, timeout=30).status_code

    for depth in (200, 20_000):
        config = b'{"a":' * depth + b"1" + b"}" * depth
        deep = b'{"catalog_id":"adminer","hostname":"deep-1","config":' + config + b"}"
        assert post(deep) in {400, 413}
        arrays = b'{"catalog_id":' + b"[" * depth + b"]" * depth + b"}"
        assert post(arrays) in {400, 413}
    long = b'{"catalog_id":"adminer","hostname":"long-1","name":"' + b"x" * (3 << 20) + b'"}'
    assert post(long) == 413
    many = json.dumps(
        {
            "catalog_id": "adminer",
            "hostname": "many-1",
            "environment": dict.fromkeys(map(str, range(20_000)), "x"),
        }
    )
    assert post(many.encode()) == 400
    assert requests.get(f"{stack.url}/api/health", timeout=20).status_code == 200


def wrap(tag: bytes, value: bytes) -> bytes:
    """A field of protobuf with a length."""
    length, left = b"", len(value)
    while left > 127:
        length, left = length + bytes([left & 127 | 128]), left >> 7
    return tag + length + bytes([left]) + value


def test_a_message_that_is_too_deep_does_not_harm_a_service(platform: Platform) -> None:
    value = b"\x1a\x01x"
    for _ in range(5_000):
        value = wrap(b"\x32", wrap(b"\x0a", value))  # a list in a list, as protobuf writes it
    entry = wrap(b"\x0a", b"a") + wrap(b"\x12", value)
    data = wrap(b"\x0a", b"adminer") + wrap(b"\x12", b"deep-2") + wrap(b"\x22", wrap(b"\x0a", entry))
    token = sign_in(platform.stack)["access"]
    path = "/proximity.apps.v1.AppsService/DeployApp"
    call = platform.channels["apps"].unary_unary(path, request_serializer=bytes, response_deserializer=bytes)
    with pytest.raises(grpc.RpcError):
        call(data, metadata=(("authorization", f"Bearer {token}"),), timeout=20)
    with pytest.raises(grpc.RpcError):
        call(b"\xff" * 1000, metadata=(("authorization", f"Bearer {token}"),), timeout=20)


def test_metadata_beyond_the_limit_is_refused(platform: Platform) -> None:
    stub = apps_service_pb2_grpc.AppsServiceStub(platform.channels["apps"])
    metadata = (("authorization", "Bearer x"), *((f"x-{number}", "y" * 8000) for number in range(40)))
    with pytest.raises(grpc.RpcError) as refused:
        stub.ListApps(apps_service_pb2.ListAppsRequest(), metadata=metadata, timeout=20)
    assert refused.value.code() in {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE}
    headers = {f"X-{number}": "y" * 1000 for number in range(30)}
    assert requests.get(f"{platform.stack.url}/api/health", headers=headers, timeout=20).status_code == 431


def test_who_sends_slowly_is_let_go_and_hinders_nobody(stack: RunningStack) -> None:
    """Envoy's limits of time are tested with short ones in tests/contract; here they hold while others are served."""
    slow = [socket.create_connection(("127.0.0.1", stack.port), timeout=30) for _ in range(200)]
    try:
        for one in slow:
            one.sendall(b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nX-A: ")
        assert requests.get(f"{stack.url}/api/auth/.well-known/jwks.json", timeout=120).status_code == 200
    finally:
        for one in slow:
            one.close()


@pytest.mark.parametrize(
    "location",
    [
        "http://example.org/catalog.json",
        "https://127.0.0.1/catalog.json",
        "https://localhost:8443/x.json",
        "https://[::1]/x.json",
        "https://[::ffff:127.0.0.1]/x.json",
        "https://169.254.169.254/latest/meta-data/x.json",
        "https://10.0.0.1/x.json",
        "https://2130706433/x.json",
        "https://0x7f.1/x.json",
        "https://user:secret@example.org/x.json",
        "git+https://127.0.0.1/x.git",
        "file:///etc/passwd",
        "/etc/passwd",
        "git+ssh://127.0.0.1/x.git",
        "https://example.org@127.0.0.1/x.json",
    ],
)
def test_a_catalog_source_fetches_nothing_from_inside(stack: RunningStack, location: str) -> None:
    admin = stack.sign_in()
    body = {"name": f"s{uuid.uuid4().hex[:8]}", "location": location, "format": "portainer"}
    answer = admin._request("POST", "/catalog/sources", body)
    if answer.status_code == 400:
        return
    assert answer.status_code == 201, answer.text
    source = answer.json()["id"]
    deadline, found = time.monotonic() + 30, answer.json()
    while not found.get("error") and time.monotonic() < deadline:
        found = next(one for one in admin.send("GET", "/catalog/sources")["sources"] if one["id"] == source)
        time.sleep(0.1)
    admin.send("DELETE", f"/catalog/sources/{source}", expect=204)
    assert re.search(
        "public address|not an https|no address|folder that sources|cannot be read", found["error"]
    )
    assert "root:" not in found["error"]
