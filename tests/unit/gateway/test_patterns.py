"""The patterns of the document are what the services refuse of every text."""

from __future__ import annotations

import ipaddress
import re

import pytest

from gateway.openapi import render_openapi
from gateway.patterns import FORMATS, LINE, LINES, SECRET, SEGMENT
from gateway.surface import load_surface
from services.common.core.text import find_control, find_control_in_lines

DOCUMENT = render_openapi(load_surface())
CHARACTERS = [chr(code) for code in (*range(0xD800), *range(0xE000, 0x10000), 0x1F600)]


def test_a_pattern_allows_exactly_the_characters_that_a_service_takes() -> None:
    for each in CHARACTERS:
        text = f"a{each}b"  # not at the end, where Python's $ overlooks a line feed
        assert bool(re.search(LINE, text)) == (find_control(text) == ""), f"U+{ord(each):04X}"
        assert bool(re.search(LINES, text)) == (find_control_in_lines(text) == ""), f"U+{ord(each):04X}"
        assert bool(re.search(SECRET, text)) == (each != "\x00")
        assert bool(re.search(SEGMENT, text)) == (find_control(text) == "" and each not in "/\\")


@pytest.mark.parametrize(
    "text",
    ["10.0.0.5/24", "0.0.0.0/0", "::/0", "2001:db8::1:2/64", "fe80::1/64", "1:2:3:4:5:6:7:8/128", "a::b:c:d:e:f:1/64",
     "10.0.0.256/8", "10.0.0.1/33", "010.0.0.1/8", "1::2::3/64", "::1/129", ":::/3", "10.0.0.1", "::1"],
)  # fmt: skip
def test_the_pattern_of_networks_takes_what_is_one(text: str) -> None:
    try:
        ipaddress.ip_interface(text)
    except ValueError:
        is_network = False
    else:
        is_network = "/" in text
    assert any(re.search(each["pattern"], text) for each in FORMATS["cidr"]) == is_network


def test_texts_in_a_request_have_a_pattern_or_a_closed_set() -> None:
    for name in {method.input.rpartition(".")[2] for method in load_surface().routed if method.takes_json}:
        for field, schema in DOCUMENT["components"]["schemas"].get(name, {}).get("properties", {}).items():
            if "string" in (schema.get("type") or "") and schema.get("format") != "date-time":
                assert {"pattern", "enum", "format"} & set(schema), f"{name}.{field}"


def test_parts_of_a_path_hold_no_slash() -> None:
    for path, operations in DOCUMENT["paths"].items():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                schema = parameter["schema"]
                if parameter["in"] == "path" and schema["type"] == "string":
                    assert not re.search(schema["pattern"], "a/b"), path
