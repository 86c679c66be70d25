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
