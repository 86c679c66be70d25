"""The table of variables, and what is said of those that nobody reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.configuration import (
    EXAMPLE,
    TABLE,
    check_environment,
    list_names,
    list_variables,
    render_deployments,
    render_example,
    render_table,
)
from deploy.local.__main__ import main
from gateway import settings as gateway_settings
from services.common.core.config import ConfigError, read_settings
from services.common.core.environment import explain_replaced, find_misspelt
from services.common.core.parsing import parse_origins

SEEDS = (
    "DEBUG",
    "SECRET_KEY",
    "DATABASE_URL",
    "PROXMOX_HOST",
    "PROXMOX_USER",
    "PROXMOX_PASSWORD",
    "SENTRY_DSN",
    "CORS_ALLOWED_ORIGINS",
    "TESTING_MODE",
    "USE_MOCK_PROXMOX",
)


def test_the_table_and_the_example_are_current() -> None:
    assert TABLE.read_text("utf-8") == render_table()
    assert EXAMPLE.read_text("utf-8") == render_example()
    for path, text in render_deployments().items():
        assert path.read_text("utf-8") == text, f"{path.name}: make configuration writes it anew"


@pytest.mark.parametrize("name", SEEDS)
def test_every_variable_of_the_documents_is_read(name: str) -> None:
    assert name in {each.name for each in list_variables()}


@pytest.mark.parametrize("name", ["CELERY_BROKER_URL", "CELERY_WORKER_CONCURRENCY", "REDIS_URL"])
def test_what_celery_and_redis_had_is_recognised(name: str) -> None:
    [sentence] = explain_replaced({name: "redis://redis:6379/0", "PATH": "/bin"})
    assert sentence.startswith(f"{name} has no effect")
    assert "NATS_URL" in sentence
    assert "redis:6379" not in sentence


def test_a_misspelt_name_is_refused_with_the_one_that_was_meant() -> None:
    faults = find_misspelt(
        {"PROXIMTY_PORT": "1", "DATABASE_URI": "x", "PROXIMITY_COLOUR": "red"}, list_names()
    )
    assert faults == [
        "DATABASE_URI: there is no such variable; DATABASE_URL is one",
        "PROXIMITY_COLOUR: there is no such variable; docs/configuration.md lists them all",
        "PROXIMTY_PORT: there is no such variable; PROXIMITY_PORT is one",
    ]


def test_ordinary_variables_of_a_machine_are_left_alone() -> None:
    environ = dict.fromkeys(
        ["PATH", "HOME", "HOSTNAME", "LANG", "PWD", "VIRTUAL_ENV", "TERM", "KUBERNETES_PORT"], "x"
    )
    assert find_misspelt(environ, list_names()) == []


def test_a_value_and_a_file_for_the_same_name_contradict(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("a" * 32)
    from services.apps.config import AppsSettings

    with pytest.raises(ConfigError, match="SECRET_KEY: is set, and SECRET_KEY_FILE too"):
        read_settings(AppsSettings, {"SECRET_KEY": "b" * 32, "SECRET_KEY_FILE": str(tmp_path / "key")})


@pytest.mark.parametrize(
    "dsn",
    [
        "hunter2",
        "https://hunter2@h",
        "https://h/1",
        "ftp://hunter2@h/1",
        "https://hunter2@h:x/1",
        "https://[hunter2/1",
    ],
)
def test_what_is_no_dsn_is_a_fault_that_shows_nothing_of_it(dsn: str) -> None:
    from services.apps.config import AppsSettings

    with pytest.raises(ConfigError) as raised:
        read_settings(AppsSettings, {"SECRET_KEY": "b" * 32, "DEBUG": "1", "SENTRY_DSN": dsn})
    assert raised.value.faults == ["SENTRY_DSN: is no DSN like https://key@host/1"]


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "null",
        "https://a.example.org/x",
        "a.example.org",
        "https://*.example.org",
        "ftp://a",
        "https://u@a",
    ],
)
def test_only_an_origin_may_call_from_elsewhere(origin: str) -> None:
    with pytest.raises(ValueError, match="is no origin"):
        parse_origins(f"https://console.example.org,{origin}")
    with pytest.raises(ValueError, match="is no origin"):
        gateway_settings.parse_origin(origin)


def test_an_origin_is_read_as_browsers_send_it() -> None:
    origins = "https://Console.example.org/, http://[::1]:8080"
    assert parse_origins(origins) == ("https://console.example.org", "http://[::1]:8080")


GOOD = {"SECRET_KEY": "x1y2z3w4" * 8, "DEBUG": "False"}
HOST = {"PROXMOX_HOST": "pve.example.org", "PROXMOX_PASSWORD": "Zq8-of-this-test"}
NO_HOST = "no IP address to listen on"
WRONG: list[tuple[dict[str, str], str]] = [
    (
        {"DATABASE_URL": "mysql://u:hunter2@h/d"},
        "DATABASE_URL: begins with 'mysql'; must be sqlite:///PATH or",
    ),
    ({"DATABASE_URL": "proximity"}, "DATABASE_URL: is no URL; must be sqlite:///PATH or"),
    ({"NATS_URL": "redis://:hunter2@h"}, "NATS_URL: begins with 'redis'; must be nats://"),
    ({"NATS_URL": "nats://h:4222,nats://h:x"}, "NATS_URL: begins with 'nats'; must be nats://"),
    (
        HOST | {"PROXMOX_HOST": "http://pve"},
        "PROXMOX_HOST: 'http://pve' must be a host name or an IP address",
    ),
    (HOST | {"PROXMOX_HOST": "pve:8006"}, "PROXMOX_HOST: 'pve:8006' has a port; give 'pve' as host and 8006"),
    ({"PROXMOX_USER": "root"}, "PROXMOX_USER: 'root' must name the realm too"),
    (HOST | {"PROXMOX_FINGERPRINT": "zz"}, "PROXMOX_FINGERPRINT: 'zz' must be a SHA-256 fingerprint"),
    (
        HOST | {"PROXMOX_PASSWORD": "hunter2\n"},
        "PROXMOX_PASSWORD: must not contain the control character U+000A",
    ),
    (
        HOST | {"PROXMOX_TOKEN_ID": "a@pve!t"},
        "PROXMOX_TOKEN_ID: is set without PROXMOX_TOKEN_SECRET; set both, or neither",
    ),
    ({"PROXMOX_HOST": "pve"}, "PROXMOX_HOST: is set without PROXMOX_PASSWORD or PROXMOX_TOKEN_ID"),
    ({"CORS_ALLOWED_ORIGINS": "*"}, "CORS_ALLOWED_ORIGINS: '*' is no origin"),
    ({"CORS_ALLOWED_ORIGINS": "example.com"}, "CORS_ALLOWED_ORIGINS: 'example.com' is no origin"),
    ({"OTEL_EXPORTER_OTLP_ENDPOINT": "foo"}, "OTEL_EXPORTER_OTLP_ENDPOINT: 'foo' is no address like http://"),
    ({"METRICS_LISTEN": "foo"}, "METRICS_LISTEN: 'foo' is not host:port"),
    ({"METRICS_LISTEN": "127.0.0.1:65536"}, "METRICS_LISTEN: '127.0.0.1:65536' is not host:port"),
    ({"HEALTH_LISTEN": "::1:50052"}, "HEALTH_LISTEN: '::1:50052' is not host:port"),
    ({"LISTEN": "50051"}, "LISTEN: '50051' is neither host:port nor unix:/path"),
    ({"APPS_ADDRESS": "http://apps:50053"}, "APPS_ADDRESS: 'http://apps:50053' is not host:port, unix:/path"),
    ({"TLS_DIR": "/nonexistent"}, "TLS_DIR: '/nonexistent' is not a folder"),
    ({"PROXIMITY_HOST": "nosuch.invalid"}, f"PROXIMITY_HOST: 'nosuch.invalid' is {NO_HOST}"),
    ({"PROXIMITY_HOST": "localhost"}, f"PROXIMITY_HOST: 'localhost' is {NO_HOST}"),
    ({"PROXIMITY_ADMIN_USERNAME": "a b"}, "PROXIMITY_ADMIN_USERNAME: 'a b' is not 1 to 150 of letters"),
    (
        {"PREVIOUS_SECRET_KEYS": "x"},
        "PREVIOUS_SECRET_KEYS: number 1 has 1 characters, and a SECRET_KEY at least",
    ),
    ({"QUOTA_APPS": "x"}, "QUOTA_APPS: 'x' is not a whole number"),
]


@pytest.mark.parametrize(("environ", "fault"), WRONG, ids=lambda each: str(each)[:60])
def test_a_wrong_value_is_named_with_what_is_right(environ: dict[str, str], fault: str) -> None:
    faults, _ = check_environment(GOOD | environ)
    assert [each for each in faults if each.startswith(fault)]
    assert "hunter2" not in str(faults)


def test_faults_of_every_kind_are_named_in_one_run() -> None:
    both = {"NATS_URL": "redis://h", "VMID_MIN": "500", "VMID_MAX": "400", "PREVIOUS_SECRET_KEYS": "x"}
    faults, _ = check_environment(GOOD | HOST | both | {"PROXMOX_USER": "root", "PROXMOX_TOKEN_ID": "t"})
    assert [fault.partition(":")[0] for fault in sorted(faults)] == [
        "NATS_URL",
        "PREVIOUS_SECRET_KEYS",
        "PROXMOX_TOKEN_ID",
        "PROXMOX_USER",
        "VMID_MIN",
    ]


@pytest.mark.parametrize(
    "environ",
    [
        {"DATABASE_URL": "postgresql://u:p-of-Zq8@db-1:5432,db-2:5432/name?target_session_attrs=read-write"},
        {"NATS_URL": "nats://u:p-of-Zq8@a:4222, tls://b, c:4222"},
        HOST | {"PROXMOX_HOST": "fe80::1", "PROXMOX_FINGERPRINT": ":".join(["aB"] * 32)},
        HOST | {"PROXMOX_USER": "someone@example.org@ldap"},
        {"LISTEN": "unix:/run/apps.sock", "HEALTH_LISTEN": "[::]:50052", "METRICS_LISTEN": "0.0.0.0:9100"},
        {"AUTH_ADDRESS": "dns:///auth:50051", "APPS_ADDRESS": "ipv4:10.0.0.1:1,10.0.0.2:1"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector.example.org/otlp", "PROXIMITY_HOST": "::"},
        {"PREVIOUS_SECRET_KEYS": "changeme" * 4},
    ],
    ids=str,
)
def test_right_values_are_accepted(environ: dict[str, str]) -> None:
    assert check_environment(GOOD | environ)[0] == []


def test_make_run_refuses_what_its_services_would(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"PROXMOX_HOST": "pve:8006", "PROXMOX_USER": "root", "QUOTA_APPS": "x"}.items():
        monkeypatch.setenv(name, value)
    assert main(["run"]) == 2
    said = capsys.readouterr().err
    assert "PROXMOX_HOST: is set without PROXMOX_PASSWORD or PROXMOX_TOKEN_ID" in said
    assert "'pve:8006' has a port" in said
    assert "PROXMOX_USER: 'root' must name the realm too" in said
    assert "QUOTA_APPS: 'x' is not a whole number" in said
    assert "SECRET_KEY" not in said


def test_every_fault_is_said_once() -> None:
    faults, notices = check_environment({"PROXIMITY_PORT": "no", "REDIS_URL": "redis://r"})
    assert sorted(faults) == sorted(set(faults))
    assert any(fault.startswith("PROXIMITY_PORT:") for fault in faults)
    assert any(fault.startswith("SECRET_KEY: is required") for fault in faults)
    assert len(notices) == 1


def test_make_run_refuses_a_misspelt_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PROXIMITY_PROT", "8001")
    assert main(["run"]) == 2
    assert "PROXIMITY_PROT: there is no such variable; PROXIMITY_PORT is one" in capsys.readouterr().err
