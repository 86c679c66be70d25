"""A database of the Django system as a household leaves it: 11 users, 2 hosts, 30 apps in all states, 11 backups.

The tables are those of the system's models; hosts' passwords are encrypted with its SECRET_KEY, as it does.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from tests.store.django_database import hash_password

OLD_KEY = "django-insecure-of-this-household"
PASSWORD = "für-immer-Käse-12"
THEN = "2024-05-06 07:08:09.123456"
ACTIVE, INACTIVE = 1, 2  # ids of the hosts
FIRST_VMID = 200

_SCHEMA = """
CREATE TABLE users (id integer PRIMARY KEY, password varchar(128), last_login datetime, is_superuser bool,
    username varchar(150), first_name varchar(150), last_name varchar(150), email varchar(254), is_staff bool,
    is_active bool, date_joined datetime, avatar varchar(100), bio text, preferred_theme varchar(50));
CREATE TABLE proxmox_hosts (id integer PRIMARY KEY, name varchar(100), host varchar(255), port integer,
    ssh_port integer, user varchar(100), password varchar(500), ssh_key_path varchar(500), verify_ssl bool,
    is_active bool, is_default bool, last_seen datetime, total_cpu integer, total_memory bigint,
    total_storage bigint, created_at datetime, updated_at datetime, created_by_id bigint);
CREATE TABLE proxmox_nodes (id integer PRIMARY KEY, host_id bigint, name varchar(100), status varchar(50));
CREATE TABLE applications (id varchar(255) PRIMARY KEY, catalog_id varchar(100), name varchar(255),
    hostname varchar(255), status varchar(50), url varchar(512), iframe_url varchar(512), public_port integer,
    internal_port integer, lxc_id integer, lxc_root_password varchar(500), host_id bigint, node varchar(100),
    config text, ports text, volumes text, environment text, owner_id bigint, created_at datetime,
    updated_at datetime, state_changed_at datetime);
CREATE TABLE deployment_logs (id integer PRIMARY KEY, application_id varchar(255), timestamp datetime,
    level varchar(20), message text, step varchar(255));
CREATE TABLE backups (id integer PRIMARY KEY, application_id varchar(255), file_name varchar(500),
    storage_name varchar(100), size bigint, backup_type varchar(50), compression varchar(20), status varchar(50),
    error_message text, created_at datetime, updated_at datetime, completed_at datetime);
CREATE TABLE system_settings (id integer PRIMARY KEY, git_repo_path varchar(500), git_auto_commit bool,
    default_theme varchar(50), enable_animations bool, enable_ai_agent bool, enable_community_chat bool,
    enable_multi_host bool, default_cpu_cores integer, default_memory_mb integer, default_disk_gb integer,
    default_swap_mb integer, default_subnet varchar(50), default_gateway char(39), default_dns_primary char(39),
    default_dns_secondary char(39), default_bridge varchar(50), updated_at datetime, updated_by_id bigint);
"""
# Status in the old system of each app that comes over, with whether its container runs now.
STATES = (
    *(("running", True),) * 12,
    *(("stopped", False),) * 7,
    ("stopped", True),  # started in Proxmox meanwhile: the container counts
    *(("error", True),) * 3,
    ("deploying", True),
    ("cloning", False),
    ("updating", True),
    ("removing", False),
)
EXPECTED = {"running": 13, "stopped": 7, "error": 7}
NAMES = ("fab", "alice", "bob", "ALICE", "carol", "dora", "erin", "frank", "gina", "hal", "ida")


def encrypt(text: str, key: str = OLD_KEY) -> str:
    """Encrypt as the Django system does."""
    secret = base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest())
    return Fernet(secret).encrypt(text.encode()).decode()


def insert(file: Path, table: str, **values: Any) -> None:
    """Insert a row."""
    names = ", ".join(values)
    marks = ", ".join("?" * len(values))
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(values.values()))


def name_app(number: int) -> str:
    """Name the app of a number."""
    return f"adminer-{number:08x}"


def make_host(**values: Any) -> dict[str, Any]:
    """Build the row of a host."""
    usual = {
        "user": "root@pam",
        "verify_ssl": 0,
        "is_active": 1,
        "is_default": 0,
        "ssh_port": 22,
        "port": 8006,
    }
    return usual | {"created_at": THEN, "updated_at": THEN} | values


def make_app(number: int, **values: Any) -> dict[str, Any]:
    """Build the row of an app, with the ports that the Django system allocates and does not use."""
    row = {
        "id": name_app(number),
        "catalog_id": "adminer",
        "name": f"App {number}",
        "hostname": f"app-{number}",
        "status": "running",
        "public_port": 8100 + number,
        "internal_port": 9100 + number,
        "lxc_id": FIRST_VMID + number,
        "lxc_root_password": encrypt("container"),
        "host_id": ACTIVE,
        "node": "pve1",
        "config": json.dumps({"memory": 512, "cores": 1}),
        "ports": "{}",
        "volumes": "[]",
        "environment": json.dumps({"DB_PASSWORD": "s3cret", "TZ": "Europe/Rome"}),
        "owner_id": 2 + number % 2,
    }
    return row | {"created_at": THEN, "updated_at": THEN, "state_changed_at": THEN} | values


def make_backup(number: int, app: int, **values: Any) -> dict[str, Any]:
    """Build the row of a backup."""
    row = {
        "id": number,
        "application_id": name_app(app),
        "file_name": f"vzdump-lxc-{FIRST_VMID + app}-2024_05_06-07_08_{number:02}.tar.zst",
        "storage_name": "local",
        "size": 4_000_000,
        "backup_type": "snapshot",
        "compression": "zstd",
        "status": "completed",
    }
    return row | {"created_at": THEN, "updated_at": THEN, "completed_at": THEN} | values


def make_household(file: Path, *, active: Mapping[str, Any], inactive: Mapping[str, Any]) -> str:
    """Make the database and return its URL; the mappings say where the two hosts are."""
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(_SCHEMA)
    _add_users(file)
    insert(file, "proxmox_hosts", **make_host(id=ACTIVE, name="homelab", is_default=1, **active))
    insert(file, "proxmox_hosts", **make_host(id=INACTIVE, name="attic", is_active=0, **inactive))
    insert(file, "proxmox_nodes", id=1, host_id=ACTIVE, name="pve1", status="online")
    _add_settings(file)
    _add_apps(file)
    _add_backups(file)
    return f"sqlite:///{file}"


def _add_users(file: Path) -> None:
    passwords = {"erin": "!no-password", "frank": "bcrypt$$2b$12$abcdefghijklmnopqrstuv"}
    for number, name in enumerate(NAMES, start=1):
        insert(
            file,
            "users",
            id=number,
            username=name,
            password=passwords.get(name) or hash_password(PASSWORD),
            is_superuser=name == "fab",
            is_staff=name == "fab",
            is_active=name != "carol",
            first_name="",
            last_name="",
            email="" if name == "ALICE" else f"{name}@example.com",
            date_joined=f"2024-01-{number:02} 10:00:00.000001",
            bio="",
            preferred_theme="rack_proximity",
            avatar="avatars/hal.png" if name == "hal" else "",
        )


def _add_settings(file: Path) -> None:
    insert(
        file,
        "system_settings",
        id=1,
        git_repo_path="/data/git/proximity-state",
        git_auto_commit=1,
        default_theme="matrix",
        enable_animations=1,
        enable_ai_agent=1,
        enable_community_chat=0,
        enable_multi_host=0,
        default_cpu_cores=2,
        default_memory_mb=2048,
        default_disk_gb=8,
        default_swap_mb=512,
        default_subnet="10.0.0.0/24",
        default_gateway="10.0.0.1",
        default_dns_primary="10.0.0.2",
        default_dns_secondary=None,
        default_bridge="vmbr0",
    )


def _add_apps(file: Path) -> None:
    for number, (status, _) in enumerate(STATES):
        changes: dict[str, Any] = {"status": status}
        if number == 0:
            changes["hostname"] = (
                "db.example.lan"  # the Django system's adoption takes names over as they are
            )
            changes["config"] = json.dumps({"adopted": True, "original_vmid": 200, "detected_ports": [80]})
        insert(file, "applications", **make_app(number, **changes))
        insert(
            file,
            "deployment_logs",
            application_id=name_app(number),
            timestamp=THEN,
            level="info",
            message="Deployed",
            step="deploy",
        )
    last = len(STATES)
    insert(file, "applications", **make_app(last, host_id=INACTIVE))
    insert(file, "applications", **make_app(last + 1, lxc_id=None, status="deploying"))
    insert(file, "applications", **make_app(last + 2, owner_id=4))  # of ALICE, who is not alice


def _add_backups(file: Path) -> None:
    statuses = ("completed",) * 6 + ("failed", "creating", "restoring", "deleting")
    for number, status in enumerate(statuses, start=1):
        insert(file, "backups", **make_backup(number, number % 3, status=status))
    insert(file, "backups", **make_backup(11, len(STATES) + 1))  # of the app without a container
