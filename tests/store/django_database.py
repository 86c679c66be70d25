"""A database as the Django system leaves it, with what goes wrong in such databases."""

from __future__ import annotations

import base64
import hashlib
import sqlite3
from pathlib import Path
from typing import Any

import psycopg

PASSWORD = "old-but-good-77"

_SCHEMA = """
CREATE TABLE users (id INTEGER PRIMARY KEY, password varchar(128), last_login datetime, is_superuser bool,
    username varchar(150), first_name varchar(150), last_name varchar(150), email varchar(254), is_staff bool,
    is_active bool, date_joined datetime, avatar varchar(200), bio text, preferred_theme varchar(50));
CREATE TABLE proxmox_hosts (id INTEGER PRIMARY KEY, name varchar(100), host varchar(255), port integer,
    user varchar(100), password varchar(255), verify_ssl bool, is_active bool, is_default bool, created_at datetime,
    updated_at datetime);
CREATE TABLE proxmox_nodes (id INTEGER PRIMARY KEY, host_id integer, name varchar(100), status varchar(20));
CREATE TABLE applications (id varchar(100) PRIMARY KEY, catalog_id varchar(100), name varchar(200),
    hostname varchar(200), status varchar(20), public_port integer, internal_port integer, lxc_id integer,
    node varchar(100), host_id integer, owner_id integer, config text, environment text, created_at datetime,
    updated_at datetime);
CREATE TABLE deployment_logs (id INTEGER PRIMARY KEY, application_id varchar(100), timestamp datetime,
    level varchar(20), message text, step varchar(100));
CREATE TABLE backups (id INTEGER PRIMARY KEY, application_id varchar(100), file_name varchar(500),
    storage_name varchar(100), size bigint, backup_type varchar(20), compression varchar(20), status varchar(20),
    error_message text, created_at datetime, updated_at datetime, completed_at datetime);
CREATE TABLE system_settings (id INTEGER PRIMARY KEY, default_cpu_cores integer, default_memory_mb integer,
    default_disk_gb integer, default_swap_mb integer, default_subnet varchar(50), default_gateway varchar(50));
"""
# By name or by type of the column.
_TYPES = {
    "datetime": "timestamp with time zone",
    "bool": "boolean",
    "config": "jsonb",
    "environment": "jsonb",
}
_THEN = "2024-05-06 07:08:09.123456"


def hash_password(password: str) -> str:
    """A hash in Django's form, with fewer iterations than it makes."""
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), b"Zs4lt", 1000)
    return f"pbkdf2_sha256$1000$Zs4lt${base64.b64encode(digest).decode()}"


def make_django_database(file: Path) -> str:
    """Make the database and return its URL."""
    connection = sqlite3.connect(file)
    connection.executescript(_SCHEMA)
    _add_people(connection)
    _add_apps(connection)
    connection.commit()
    connection.close()
    return f"sqlite:///{file}"


def copy_to_postgresql(file: Path, url: str) -> None:
    """Make the same database in PostgreSQL, with the types that Django gives its columns there."""
    with sqlite3.connect(file) as old, psycopg.connect(url) as new:
        for [table] in old.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            columns = [
                (row[1], _TYPES.get(row[1], _TYPES.get(row[2], row[2]))) for row in _describe(old, table)
            ]
            shape = ", ".join(f'"{name}" {kind}' for name, kind in columns)
            new.execute(f'CREATE TABLE "{table}" ({shape})')
            values = ", ".join(f"%s::text::{kind}" for _, kind in columns)
            rows = old.execute(f'SELECT * FROM "{table}"').fetchall()
            new.cursor().executemany(f'INSERT INTO "{table}" VALUES ({values})', rows)
    old.close()


def _describe(connection: sqlite3.Connection, table: str) -> list[tuple[Any, ...]]:
    return connection.execute(f'PRAGMA table_info("{table}")').fetchall()


def _insert(connection: sqlite3.Connection, table: str, rows: list[tuple[object, ...]]) -> None:
    marks = ",".join("?" * len(rows[0]))
    connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)


def _add_people(connection: sqlite3.Connection) -> None:
    good = hash_password(PASSWORD)

    def user(number: int, name: str, password: str, *, email: str = "", root: int = 0) -> tuple[object, ...]:
        return (number, password, None, root, name, "", "", email, 0, 1, _THEN, None, "", "dark")

    _insert(
        connection,
        "users",
        [
            user(1, "root", good, email="root@example.com", root=1),
            user(4, "Ada", good, email="ada@example.com"),
            user(5, "ada", good),
            user(6, "bob", "!unusable", email="ADA@example.com"),
        ],
    )
    host = ("root@pam", "plain-host-password", 0, 1, 1, _THEN, _THEN)
    _insert(
        connection, "proxmox_hosts", [(3, "rack", "10.0.0.9", 8006, *host), (8, "", "10.0.0.8", 8006, *host)]
    )
    _insert(connection, "proxmox_nodes", [(1, 3, "pve1", "online")])
    _insert(connection, "system_settings", [(1, 4, 4096, 900_000, 512, "10.9.0.0/24", "10.9.0.1")])


def _add_apps(connection: sqlite3.Connection) -> None:
    def app(
        app_id: str,
        hostname: str,
        *,
        status: str = "running",
        vmid: int | None,
        host: int = 3,
        owner: int | None = 4,
    ) -> tuple[object, ...]:
        config = '{"memory": 1024, "cores": 2, "colour": "red"}'
        environment = '{"DB_PASSWORD": "s3cret-value", "TZ": "UTC"}'
        ports = (8100 + (vmid or 0) % 2, 80)
        rest = ("pve1", host, owner, config, environment, _THEN, _THEN)
        return (app_id, "nginx", "Web", hostname, status, *ports, vmid, *rest)

    _insert(
        connection,
        "applications",
        [
            app("nginx-00000001", "web-01", vmid=101),
            app("nginx-00000002", "web-02", vmid=102, status="stopped", owner=None),
            app("nginx-00000003", "web-03", vmid=104, status="deploying"),
            app("nginx-00000004", "web-01", vmid=105),
            app("nginx-00000005", "web-05", vmid=None),
            app("nginx-00000006", "web-06", vmid=106, status="sleeping"),
            app("nginx-00000007", "web-07", vmid=107, host=8),
            app("nginx-00000008", "web-08", vmid=101),
        ],
    )
    _insert(
        connection,
        "deployment_logs",
        [
            (1, "nginx-00000001", _THEN, "INFO", "Creating the container", "create"),
            (2, "nginx-00000001", _THEN, "debug", "Started", "start"),
            (3, "nginx-00000005", _THEN, "error", "No container", "create"),
        ],
    )
    times = (_THEN, _THEN, _THEN)
    volume = "local:backup/vzdump-lxc-101-2024_05_06-07_08_09.tar.zst"
    _insert(
        connection,
        "backups",
        [
            (7, "nginx-00000001", volume, None, 5_000_000_000, "snapshot", "zstd", "completed", None, *times),
            (8, "nginx-00000001", "", "local", None, "snapshot", "zstd", "creating", None, *times),
            (9, "nginx-00000001", "", "local", 1, "snapshot", "zstd", "completed", None, *times),
            (10, "nginx-00000005", volume, None, 1, "snapshot", "zstd", "completed", None, *times),
        ],
    )
