"""Credentials inside URLs and connection strings are masked, and secret values wherever they stand in a text."""

from __future__ import annotations

import pytest

from services.common.core.text import find_credentials, mask_credentials, mask_values


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
        ("postgres://app:hun/ter#2@db/app", "postgres://app:********@db/app"),
        ("http://x.example.org:8080/npm/@scope/a", "http://x.example.org:8080/npm/@scope/a"),
        ("app:hunter2@tcp(db:3306)/app", "app:********@tcp(db:3306)/app"),
        ("//app:hunter2@cache/0", "//app:********@cache/0"),
        ("proxy=u:hunter2@proxy:3128", "proxy=u:********@proxy:3128"),
        ("mailto:me@example.org", "mailto:me@example.org"),
        ("ghcr.io/a/b:1.2@sha256:abcdef", "ghcr.io/a/b:1.2@sha256:abcdef"),
    ],
)
def test_credentials_inside_a_value_are_masked_and_the_rest_is_shown(text: str, shown: str) -> None:
    assert mask_credentials(text) == shown


def test_values_are_masked_with_the_credentials_and_the_lines_inside_them() -> None:
    values = ["postgres://app:hunter2@db/app", "-----BEGIN-----\nMIIBVgIBADAN\n", "info", "abc"]
    said = "connecting as hunter2; key MIIBVgIBADAN; info: information of abc"
    assert mask_values(said, values) == "connecting as ********; key ********; ********: information of abc"


@pytest.mark.parametrize("part", ["a", "://u:/", "://u:p", "p@", "token=", " a:b", "a:"])
def test_masking_takes_linear_time(part: str) -> None:
    text = part * 50_000 + "@"  # minutes in quadratic time
    assert isinstance(mask_credentials(text), str)
    assert isinstance(find_credentials(text), set)
