"""Wording of messages."""

from __future__ import annotations

import pytest
from google.protobuf import json_format, struct_pb2

from services.common.core.text import show_value


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("5000", "5000"),
        ("1.5", "1.5"),
        ("1e6", "1000000"),
        ('"5"', "'5'"),
        ("true", "true"),
        ("null", "null"),
        ('[1, {"a": 2}]', '[1, {"a": 2}]'),
        ('"' + "x" * 90 + '"', "'" + "x" * 79 + "…"),
    ],
)
def test_a_value_is_shown_as_it_was_sent(sent: str, shown: str) -> None:
    struct = json_format.Parse(f'{{"value": {sent}}}', struct_pb2.Struct())
    assert show_value(json_format.MessageToDict(struct)["value"]) == shown
