"""Rows as they are found in old databases that people have edited by hand: each with what the report says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.store.django_database import hash_password
from tests.store.django_household import (
    ACTIVE,
    STATES,
    THEN,
    encrypt,
    make_app,
    make_backup,
    make_host,
    name_app,
)

_BROKEN_UTF8 = b"caf\xe9"  # Latin-1; stored as text by `store_as_text`
_NUMBERS = iter(range(100, 200))


@dataclass(frozen=True)
class Broken:
    """A row, and a part of the report.

    Attributes:
        said: what the report says of it.
        is_left: whether it does not come over.
        text: columns of bytes to store as text that is no UTF-8.
    """

    table: str
    values: Mapping[str, Any]
    said: str
    is_left: bool = False
    text: tuple[str, ...] = ()


def _user(said: str, *, is_left: bool = False, text: tuple[str, ...] = (), **changes: Any) -> Broken:
    number = next(_NUMBERS)
    row = {"id": number, "username": f"user{number}", "password": hash_password("good-old-12")}
    row |= {"first_name": "", "last_name": "", "email": "", "is_staff": 0, "is_active": 1, "bio": ""}
    row |= {"date_joined": THEN, "avatar": "", "preferred_theme": "rack_proximity", "is_superuser": 0}
    return Broken("users", row | changes, said, is_left, text)


def _host(said: str, *, is_left: bool = False, **changes: Any) -> Broken:
    number = next(_NUMBERS)
    row = make_host(
        id=number, name=f"host{number}", host=f"10.9.9.{number}", password=encrypt("pw"), is_active=0
    )
    return Broken("proxmox_hosts", row | changes, said, is_left)


def _app(said: str, *, is_left: bool = False, text: tuple[str, ...] = (), **changes: Any) -> Broken:
    return Broken("applications", make_app(next(_NUMBERS)) | changes, said, is_left, text)


def _log(said: str, *, is_left: bool = False, text: tuple[str, ...] = (), **changes: Any) -> Broken:
    row = {"id": next(_NUMBERS), "application_id": name_app(1), "timestamp": THEN, "level": "info"}
    return Broken("deployment_logs", row | {"message": "text", "step": "x"} | changes, said, is_left, text)


def _backup(said: str, *, is_left: bool = False, **changes: Any) -> Broken:
    return Broken("backups", make_backup(next(_NUMBERS), 1) | changes, said, is_left)


BROKEN = (
    _user("is no user name", is_left=True, username="a b"),
    _user("is no user name", is_left=True, username=None),
    _user("is no user name", is_left=True, username="x" * 151),
    _user("email: 'nobody' is not a valid email", email="nobody"),
    _user("avatar: 'avatars/alice.png' is not a valid uri", avatar="avatars/alice.png"),
    _user("has several lines or control characters", first_name="Al\x1b[31mice"),
    _user("date_joined: '0001-01-01", date_joined="0001-01-01 00:00:00+05:00"),
    _user("last_login: '9999-12-31", last_login="9999-12-31 23:59:59-05:00"),
    _user("preferred_theme: 'Dark Blue!'", preferred_theme="Dark Blue!"),
    _user("is_active: 'perhaps' is neither true nor false", is_active="perhaps"),
    _user("last_name: 'caf\ufffd' is no readable text", text=("last_name",), last_name=_BROKEN_UTF8),
    _user("has no usable password", password=None),
    _user("is longer than 500 characters", bio="b" * 3000),
    _user("is another user's", id=2**31 + 7),
    _user("first_name: 'a\ufffdb' is no readable text", first_name="a\x00b"),
    _host("port: 99999999 is not between 1 and 65535", port=99_999_999),
    _host("ssh_port: -5 is not between 1 and 65535", ssh_port=-5),
    _host("the address 'https://pve.lan:8006/ x'", is_left=True, host="https://pve.lan:8006/ x"),
    _host("the name '' is required", is_left=True, name=None),
    _host("user: 'root' is no user@realm", user="root"),
    _host("password cannot be decrypted with DJANGO_SECRET_KEY", password=encrypt("pw", "another key")),
    _host("ssh_key_path '/root/.ssh/id' does not come over", ssh_key_path="/root/.ssh/id"),
    _host("has no usable password", password=None),
    _app("'ümläut' is no hostname", is_left=True, hostname="Ümläut"),
    _app("has no container id (99)", is_left=True, lxc_id=99),
    _app("has no container id (abc)", is_left=True, lxc_id="abc"),
    _app("its host 999 did not come over", is_left=True, host_id=999),
    _app("its status 'sleeping' is not known", is_left=True, status="sleeping"),
    _app("public_port: 'abc' is no whole number", public_port="abc"),
    _app("public_port: 99999999 is not between", public_port=99_999_999),
    _app("created_at: 'yesterday' is no time", created_at="yesterday"),
    _app("its config is no JSON object", config="[1]"),
    _app("config.memory: -1 is not between", config='{"memory": -1, "cores": 2}'),
    _app("environment.A has characters", environment='{"A": "\\ud800", "B": "b"}'),
    _app("its environment is no JSON object", environment="{broken"),
    _app("name: 'two lines' has several lines", name="two\nlines"),
    _app("its owner 999 is not here: administrator 1 has it", owner_id=999),
    _app("is no id of an app", is_left=True, id="../../etc"),
    _app("another app has the hostname 'app-1'", is_left=True, hostname="APP-1"),
    _app("another app has container 201", is_left=True, lxc_id=201),
    _log("message: 'caf\ufffd' is no readable text", text=("message",), message=_BROKEN_UTF8),
    _log("timestamp: '9999-12-31T23:59:59-12:00' is not between", timestamp="9999-12-31T23:59:59-12:00"),
    _log("its application 'gone-00000001' did not come over", is_left=True, application_id="gone-00000001"),
    _backup("size: -5 is not between", size=-5),
    _backup("or too large", id=2**31 + 5),
    _backup("its status 'odd' is not known", is_left=True, status="odd"),
    _backup("names no archive", is_left=True, file_name=""),
    _backup("compression: 'xz' is not one of", compression="xz"),
)
assert len(STATES) < 100 > ACTIVE, "the rows above have numbers of their own"
