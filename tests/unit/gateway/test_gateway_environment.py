"""Variables of the environment that the gateway reads."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.__main__ import main
from gateway.config import render_bootstrap
from gateway.environment import VARIABLES, read_environment
from gateway.settings import Collector, Endpoint, GatewaySettings, parse_collector
from gateway.tracing import find_authorities
from services.registry import SERVICES


@pytest.mark.parametrize("variable", VARIABLES, ids=lambda each: each.name)
def test_each_variable_sets_a_field_that_exists(variable: Any) -> None:
    assert hasattr(GatewaySettings(endpoints={}), variable.field)
    assert read_environment({variable.name: ""}) == {}


@pytest.mark.parametrize(
    ("environ", "fault"),
    [
        ({"TRUSTED_PROXIES": "-1"}, "TRUSTED_PROXIES: '-1' is not a whole number from 0 to 16"),
        ({"TRUSTED_PROXIES": "17"}, "TRUSTED_PROXIES: 17 is not between 0 and 16"),
        ({"REQUESTS_BURST": "x"}, "REQUESTS_BURST: 'x' is not a whole number"),
        ({"REQUIRE_HTTPS": "maybe"}, "REQUIRE_HTTPS: 'maybe' is neither true nor false"),
        ({"CORS_ALLOWED_ORIGINS": "*"}, "CORS_ALLOWED_ORIGINS: '\\*' is no origin"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "ftp://h"}, "OTEL_EXPORTER_OTLP_ENDPOINT: 'ftp://h' is no address"),
    ],
)
def test_a_wrong_value_is_named(environ: dict[str, str], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        read_environment(environ)


def test_an_option_takes_precedence_over_its_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CORS_ALLOWED_ORIGINS", "https://of-the-environment.example.org")
    endpoints = [f"--endpoint={service}={service}:50051" for service in SERVICES]
    assert main(["render", "--out=-", *endpoints]) == 0
    assert "of-the-environment" in capsys.readouterr().out
    assert main(["render", "--out=-", *endpoints, "--cors-origin=https://of-the-option.example.org"]) == 0
    rendered = capsys.readouterr().out
    assert "of-the-option" in rendered
    assert "of-the-environment" not in rendered


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://h", "http://h:4318/v1/traces"),
        ("h:4319", "http://h:4319/v1/traces"),
        ("https://h", "https://h:443/v1/traces"),
        ("https://h:4318/otlp/", "https://h:4318/otlp/v1/traces"),
        ("http://[::1]:4318", "http://[::1]:4318/v1/traces"),
    ],
)
def test_a_collector_is_addressed_as_its_url_says(text: str, url: str) -> None:
    collector = parse_collector(text)
    assert collector is not None
    assert collector.url == url


@pytest.mark.parametrize(
    ("collector", "kind"), [("collector.example.org", "DNS"), ("192.0.2.7", "IP_ADDRESS")]
)
def test_a_collector_behind_https_is_spoken_to_in_tls_and_checked(collector: str, kind: str) -> None:
    traces = Collector(Endpoint(collector, 4318), uses_tls=True)
    endpoints = {service: (Endpoint(service, 50051),) for service in SERVICES}
    bootstrap = render_bootstrap(GatewaySettings(endpoints=endpoints, traces=traces))
    [cluster] = [each for each in bootstrap["static_resources"]["clusters"] if each["name"] == "traces"]
    context = cluster["transport_socket"]["typed_config"]
    validation = context["common_tls_context"]["validation_context"]
    assert validation["trusted_ca"] == {"filename": find_authorities()}
    assert validation["match_typed_subject_alt_names"] == [
        {"san_type": kind, "matcher": {"exact": collector}}
    ]
    assert context.get("sni") == (collector if kind == "DNS" else None)
    assert json.dumps(cluster)
