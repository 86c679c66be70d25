"""Each documented setting reaches the containers that read it, as the real Docker Compose reads the file."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.composing import COMPOSE, DEFAULTS, FIXED
from deploy.configuration import list_variables
from gateway.environment import read_environment
from gateway.settings import Endpoint, parse_collector
from services.registry import GATEWAY, SERVICES, WEBSOCKET_SERVICES, WORKERS
from tests.contract.compose.judge import find_program, read_project
from tests.contract.deploy.compose import DEVELOPMENT

VARIABLES = {each.name: each for each in list_variables()}
PASSED = sorted(
    name for name, each in VARIABLES.items() if set(each.readers) & {*SERVICES, GATEWAY} and name not in FIXED
)
ORIGINS = "https://console.example.org,https://other.example.org"
COLLECTOR = "http://collector.example.org:4318"
NUMBERS = {
    "METRICS_LISTEN": "0.0.0.0:9100",
    "TRUSTED_PROXIES": "2",
    "REQUIRE_HTTPS": "true",
    "REQUESTS_PER_SECOND": "7",
    "REQUESTS_BURST": "70",
}


def read_services(settings: dict[str, str]) -> dict[str, Any]:
    """The services of the file where its `.env` has these settings."""
    env_file = "".join(f"{name}='{value}'\n" for name, value in settings.items())
    services: dict[str, Any] = read_project(find_program(), yaml.safe_load(COMPOSE.read_text()), env_file)[
        "services"
    ]
    return services


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    values = {name: f"value of {name}" for name in VARIABLES}
    return read_services(
        values
        | {
            "PROXIMITY_PORT": "8123",
            "CORS_ALLOWED_ORIGINS": ORIGINS,
            "OTEL_EXPORTER_OTLP_ENDPOINT": COLLECTOR,
            **NUMBERS,
        }
    )


@pytest.fixture(scope="module")
def untouched() -> dict[str, Any]:
    return read_services({})


def list_containers(name: str) -> list[str]:
    """Names of the containers that read a setting: servers, workers and the gateway."""
    readers = [each for each in VARIABLES[name].readers if each in {*SERVICES, GATEWAY}]
    return [*readers, *(f"{each}-worker" for each in readers if each in WORKERS)]


@pytest.mark.parametrize("name", PASSED)
def test_a_documented_setting_reaches_whom_it_is_for(name: str, services: dict[str, Any]) -> None:
    for container in list_containers(name):
        environment = services[container]["environment"]
        expected = {"CORS_ALLOWED_ORIGINS": ORIGINS, "OTEL_EXPORTER_OTLP_ENDPOINT": COLLECTOR, **NUMBERS}
        assert environment[name] == expected.get(name, f"value of {name}"), container


def test_what_the_file_sets_itself_is_there(services: dict[str, Any]) -> None:
    of_the_image = {"LISTEN"}
    of_auth = {"PROXIMITY_ADMIN_USERNAME", "PROXIMITY_ADMIN_PASSWORD"}
    for service in SERVICES:
        environment = services[service]["environment"]
        websockets = set() if service in WEBSOCKET_SERVICES else {"WEBSOCKET_LISTEN"}
        for name in FIXED - of_the_image - websockets - (set() if service == "auth" else of_auth):
            assert environment.get(name) or environment.get(f"{name}_FILE"), f"{service}: {name}"
    assert services["auth"]["environment"]["PROXIMITY_ADMIN_USERNAME"] == "value of PROXIMITY_ADMIN_USERNAME"
    assert services["gateway"]["ports"][0]["published"] == "8123"


def test_no_container_gets_a_setting_that_it_does_not_read(services: dict[str, Any]) -> None:
    for container, service in services.items():
        if container not in {*SERVICES, GATEWAY, *(f"{each}-worker" for each in WORKERS)}:
            continue
        given = {name if name in VARIABLES else name.removesuffix("_FILE") for name in service["environment"]}
        owner = container.removesuffix("-worker")
        assert {name for name in given if owner not in VARIABLES[name].readers} == set(), container


def test_without_settings_the_defaults_hold(untouched: dict[str, Any]) -> None:
    for container in {each for name in PASSED for each in list_containers(name)}:
        environment = untouched[container]["environment"]
        given = {name: text for name, text in environment.items() if name in PASSED and text}
        assert given == {name: text for name, text in DEFAULTS.items() if name in environment}


@pytest.mark.parametrize("is_set", [True, False])
def test_the_gateway_uses_what_it_gets(
    is_set: bool, services: dict[str, Any], untouched: dict[str, Any]
) -> None:
    container = (services if is_set else untouched)["gateway"]
    used = read_environment(container["environment"])
    expected = {
        "cors_origins": tuple(ORIGINS.split(",")),
        "traces": parse_collector(COLLECTOR),
        "trusted_proxies": 2,
        "require_https": True,
        "requests_per_second": 7,
        "requests_burst": 70,
    }
    metrics = {"metrics": Endpoint("0.0.0.0", 9100)}
    assert used == ((expected if is_set else {}) | metrics)


@pytest.mark.parametrize("files", [(COMPOSE,), (COMPOSE, DEVELOPMENT)], ids=["compose", "with compose.dev"])
def test_compose_reports_nothing(files: tuple[Path, ...]) -> None:
    chosen = [word for file in files for word in ("--file", str(file))]
    profiles = ("--profile", "simulator", "--profile", "metrics")
    asked = [str(find_program()), *chosen, *profiles, "config", "--quiet"]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
