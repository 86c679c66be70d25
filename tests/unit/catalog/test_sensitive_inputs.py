"""Inputs of imported items that may contain a secret, by their names."""

from __future__ import annotations

import pytest

from services.catalog.domain.entities import OWN_SOURCE
from services.catalog.domain.item import _build_input


@pytest.mark.parametrize(
    "name",
    [
        "DATABASE_URL", "REDIS_URI", "SMTP_URL", "CONNECTION_STRING", "DB_PW", "CS2_RCONPW", "JWT", "AUTHKEY", "TS_AUTHKEY",
        "GITHUB_PAT", "BASIC_AUTH", "MASTERKEY", "APPKEY", "SALT", "PIN", "COOKIE", "RCLONE_CONFIG", "JAVA_OPTS",
        "ENCRYPTION_KEYS", "SMTP_AUTH", "LICENSE",
    ],
)  # fmt: skip
def test_an_input_of_a_collection_that_may_hold_a_secret_is_one_whatever_its_type(name: str) -> None:
    record = {"name": name, "label": name, "type": "text", "default": "x"}
    assert _build_input(record, "acme").secret
    assert not _build_input({**record, "secret": False}, "acme").secret
    assert not _build_input(record, OWN_SOURCE).secret


@pytest.mark.parametrize(
    "name", ["MODE", "TITLE", "SITE_URL", "DB_HOST", "TOKEN_EXPIRY_DAYS", "SECRET_KEY_FILE"]
)
def test_an_input_of_a_collection_that_holds_no_secret_is_shown(name: str) -> None:
    assert not _build_input({"name": name, "label": name, "type": "text"}, "acme").secret
