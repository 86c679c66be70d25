"""Production refuses to start with what is known to be weak, and says how to accept it where that is possible."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from services.auth.config import AuthSettings
from services.catalog.config import CatalogSettings
from services.common.core.config import ConfigError, ServiceSettings, read_settings
from services.inventory.config import InventorySettings

GOOD = {"SECRET_KEY": "Zk3vR8q1Xw7LmT5bN0cJ6hF2dS9gPyUa"}
ADMIN = {"PROXIMITY_ADMIN_USERNAME": "root"}
PROXMOX = {"PROXMOX_HOST": "192.0.2.1", "PROXMOX_PASSWORD": "x9f3kd81-Wq"}


def faults_of(kind: type[ServiceSettings], **changes: str) -> list[str]:
    try:
        read_settings(kind, {**GOOD, **changes})
    except ConfigError as error:
        return error.faults
    return []


@pytest.mark.parametrize("kind", [AuthSettings, InventorySettings, CatalogSettings])
def test_good_settings_are_accepted(kind: type[ServiceSettings]) -> None:
    assert faults_of(kind) == []


@pytest.mark.parametrize(
    ("kind", "changes", "named"),
    [
        (CatalogSettings, {"SECRET_KEY": "short"}, "SECRET_KEY: has 5 characters"),
        (CatalogSettings, {"SECRET_KEY": "a" * 40}, "SECRET_KEY: has only 1 different"),
        (CatalogSettings, {"SECRET_KEY": "changeme-" + "1234567890abcdef" * 2}, "contains 'changeme'"),
        (
            CatalogSettings,
            {"DATABASE_URL": "postgresql://postgres:postgres@db/p"},
            "DATABASE_URL: has a default",
        ),
        (
            CatalogSettings,
            {"NATS_URL": "nats://u:x9f3kd81@n1:4222,nats://nats:nats@n2:4222"},
            "NATS_URL: has a",
        ),
        (
            AuthSettings,
            {**ADMIN, "PROXIMITY_ADMIN_PASSWORD": "admin123"},
            "PROXIMITY_ADMIN_PASSWORD: is too common",
        ),
        (InventorySettings, {**PROXMOX, "PROXMOX_VERIFY_SSL": "False"}, "PROXMOX_VERIFY_SSL: is off"),
        (InventorySettings, {**PROXMOX, "PROXMOX_PASSWORD": "toor"}, "PROXMOX_PASSWORD: is a default"),
    ],
)
def test_what_is_weak_is_refused_by_name_and_never_shown(
    kind: type[ServiceSettings], changes: dict[str, str], named: str
) -> None:
    faults = faults_of(kind, **changes)
    assert len(faults) == 1
    assert named in faults[0]
    secrets = [value for name, value in changes.items() if name in {"PROXMOX_PASSWORD", "NATS_URL"}]
    assert not any(secret in faults[0] for secret in secrets)
    assert faults_of(kind, **changes, DEBUG="True") == []


def test_a_weakness_is_accepted_by_its_name_only() -> None:
    weak = {**PROXMOX, "PROXMOX_VERIFY_SSL": "False"}
    assert "ALLOW_INSECURE=proxmox-tls" in faults_of(InventorySettings, **weak)[0]
    assert faults_of(InventorySettings, **weak, ALLOW_INSECURE="http-cookies") != []
    assert faults_of(InventorySettings, **weak, ALLOW_INSECURE="proxmox-tls,http-cookies") == []
    assert faults_of(InventorySettings, **weak, PROXMOX_FINGERPRINT=":".join(["ab"] * 32)) == []
    assert "'everything' is not one of" in faults_of(InventorySettings, ALLOW_INSECURE="everything")[0]
    short = faults_of(CatalogSettings, SECRET_KEY="short", ALLOW_INSECURE="default-passwords")
    assert short == ["SECRET_KEY: has 5 characters; at least 32 are needed"]


@pytest.mark.parametrize(
    ("kind", "changes", "named"),
    [
        (
            AuthSettings,
            {"PROXIMITY_ADMIN_PASSWORD": "x9f3kd81-Wq"},
            ["PROXIMITY_ADMIN_PASSWORD", "_USERNAME"],
        ),
        (AuthSettings, {"PROXIMITY_ADMIN_USERNAME": "root"}, ["PROXIMITY_ADMIN_USERNAME", "_PASSWORD"]),
        (InventorySettings, {"PROXMOX_HOST": "192.0.2.1"}, ["PROXMOX_HOST", "PROXMOX_PASSWORD or"]),
        (InventorySettings, {"PROXMOX_PASSWORD": "x9f3kd81-Wq"}, ["PROXMOX_PASSWORD", "PROXMOX_HOST"]),
        (
            InventorySettings,
            {"PROXMOX_FINGERPRINT": ":".join(["ab"] * 32)},
            ["PROXMOX_FINGERPRINT", "PROXMOX_HOST"],
        ),
        (
            InventorySettings,
            {"PROXMOX_HOST": "192.0.2.1", "PROXMOX_TOKEN_ID": "root@pam!p"},
            ["PROXMOX_TOKEN_ID", "PROXMOX_TOKEN_SECRET"],
        ),
        (
            InventorySettings,
            {**PROXMOX, "PROXMOX_TOKEN_SECRET": "x9f3kd81-Wq"},
            ["PROXMOX_TOKEN_SECRET", "PROXMOX_TOKEN_ID"],
        ),
        (InventorySettings, {"VMID_MIN": "300", "VMID_MAX": "200"}, ["VMID_MIN", "VMID_MAX"]),
    ],
)
@pytest.mark.parametrize("debug", ["False", "True"])
def test_settings_that_only_work_together_are_refused_alone(
    kind: type[ServiceSettings], changes: dict[str, str], named: list[str], debug: str
) -> None:
    [fault] = faults_of(kind, **changes, DEBUG=debug)
    assert all(each in fault for each in named)
    assert "x9f3kd81-Wq" not in fault


def test_a_file_counts_as_the_value(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("x9f3kd81-Wq")
    together = {**ADMIN, "PROXIMITY_ADMIN_PASSWORD_FILE": str(tmp_path / "password")}
    assert faults_of(AuthSettings, **together) == []


def test_an_administrator_whom_nobody_could_register_is_refused() -> None:
    named = {"PROXIMITY_ADMIN_USERNAME": "a b", "PROXIMITY_ADMIN_PASSWORD": "x9f3kd81-Wq"}
    assert faults_of(AuthSettings, **named) == [
        "PROXIMITY_ADMIN_USERNAME: 'a b' is not 1 to 150 of letters, digits and @.+-_"
    ]


def test_check_config_explains_and_serve_does_not_start() -> None:
    environment = os.environ | {"SECRET_KEY": "short", "NATS_URL": "nats://nats:nats@127.0.0.1:1"}
    for command in ("check-config", "serve"):
        done = subprocess.run(
            [sys.executable, "-m", "services.backups", command],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 2
        assert "SECRET_KEY: has 5 characters" in done.stderr
        assert "NATS_URL: has a default password" in done.stderr
        assert "nats:nats" not in done.stderr
