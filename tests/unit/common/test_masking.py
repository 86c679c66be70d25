"""Credentials inside URLs and connection strings are masked, and secret values wherever they stand in a text."""

from __future__ import annotations

import pytest

from services.common.core.masking import mask_credentials, mask_values


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgres://app:hunter2@db/app", "postgres://app:********@db/app"),
        ("redis://:hunter2@cache:6379/0", "redis://:********@cache:6379/0"),
        ("amqp://u:p@ss@mq,amqp://v:other@mq2", "amqp://u:********@mq,amqp://v:********@mq2"),
        ("https://ghp_0123456789abcdefghij@git.example.org/x", "https://********@git.example.org/x"),
        ("ssh://git@git.example.org/x", "ssh://git@git.example.org/x"),
        ("Server=db;Password=hunter2;Encrypt=yes", "Server=db;Password=********;Encrypt=yes"),
        ("-Xmx1g -Ddb.password=hunter2 -Da=b", "-Xmx1g -Ddb.password=******** -Da=b"),
        ("https://x.example.org/hook?token=abc&page=2", "https://x.example.org/hook?token=********&page=2"),
        ("https://x.example.org:8080/a@b?c=d", "https://x.example.org:8080/a@b?c=d"),
        ("me@example.org", "me@example.org"),
    ],
)
def test_credentials_inside_a_value_are_masked_and_the_rest_is_shown(text: str, shown: str) -> None:
    assert mask_credentials(text) == shown


def test_values_are_masked_with_the_credentials_and_the_lines_inside_them() -> None:
    values = ["postgres://app:hunter2@db/app", "-----BEGIN-----\nMIIBVgIBADAN\n", "info", "abc"]
    said = "connecting as hunter2; key MIIBVgIBADAN; info: information of abc"
    assert mask_values(said, values) == "connecting as ********; key ********; ********: information of abc"
