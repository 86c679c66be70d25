"""The patterns of the document are what the services refuse of every text."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Callable

import pytest
from proximity.common.v1 import rules_pb2

from gateway.openapi import render_openapi
from gateway.patterns import FORMATS, LINE, LINES, SECRET, SEGMENT, choose_pattern
from gateway.surface import load_surface
from services.auth.domain.passwords import find_faults
from services.common.core.errors import InvalidError
from services.common.core.text import find_control, find_control_in_lines, is_blank, is_valid_format
from services.inventory.domain.entities import check_address
from services.inventory.domain.ssh_addresses import split_ssh_address

DOCUMENT = render_openapi(load_surface())
CHARACTERS = [chr(code) for code in (*range(0xD800), *range(0xE000, 0x10000), 0x1F600)]


def test_a_pattern_allows_exactly_the_characters_that_a_service_takes() -> None:
    for each in CHARACTERS:
        text = f"a{each}b"  # not at the end, where Python's $ overlooks a line feed
        assert bool(re.search(LINE, text)) == (find_control(text) == ""), f"U+{ord(each):04X}"
        assert bool(re.search(LINES, text)) == (find_control_in_lines(text) == ""), f"U+{ord(each):04X}"
        assert bool(re.search(SECRET, text)) == (each != "\x00")
        assert bool(re.search(SEGMENT, text)) == (find_control(text) == "" and each not in "/\\")


def test_a_text_that_must_be_there_has_a_character_that_can_be_seen() -> None:
    pattern = choose_pattern(rules_pb2.Rules(), is_needed=True)
    # Marks without a letter are refused too; their two hundred ranges would be longer than the rest of the document.
    for each in (one for one in CHARACTERS if unicodedata.category(one) not in ("Mn", "Me")):
        expected = find_control(each) == "" and not is_blank(each)
        assert bool(re.fullmatch(pattern, each)) == expected, f"U+{ord(each):04X}"


@pytest.mark.parametrize(
    ("password", "is_taken"),
    [
        ("correct-horse", True),
        ("1234567a", True),
        ("12345678", False),
        ("short-1", False),
        ("a-Long 7", True),
    ],
)
def test_the_pattern_of_a_new_password_demands_its_length_and_a_character_that_is_no_digit(
    password: str, is_taken: bool
) -> None:
    assert takes("new_password", password) == is_taken
    assert is_taken == (not find_faults(password, "gwendolyn"))


def takes(format_: str, text: str) -> bool:
    return re.fullmatch(FORMATS[format_], text) is not None


def is_accepted(parse: Callable[[str], object], text: str) -> bool:
    try:
        parse(text)
    except (ValueError, InvalidError):
        return False
    return True


ADDRESSES = ["10.0.0.5", "0.0.0.0", "::", "2001:db8::1:2", "fe80::1", "1:2:3:4:5:6:7:8", "a::b:c:d:e:f:1", "10.0.0.256",
    "010.0.0.1", "1::2::3", ":::", "10.0.0", "", "pve1"]  # fmt: skip


@pytest.mark.parametrize("text", ADDRESSES)
def test_the_pattern_of_addresses_takes_what_is_one(text: str) -> None:
    assert takes("ip", text) == is_accepted(ipaddress.ip_address, text)


@pytest.mark.parametrize("length", ["24", "0", "32", "33", "64", "128", "129", "01x", ""])
@pytest.mark.parametrize("text", ADDRESSES)
def test_the_pattern_of_networks_takes_what_is_one(text: str, length: str) -> None:
    network = f"{text}/{length}"
    assert takes("cidr", network) == is_accepted(ipaddress.ip_interface, network)


HOSTS = [
    *ADDRESSES[:-2],
    "pve1",
    "pve1.lan",
    "pve1.lan.",
    "a_b",
    "-a",
    "a-",
    "a..b",
    "1.2.3",
    "1-2",
    "x/y",
    "a b",
    "pve1:8006",
]


@pytest.mark.parametrize("text", HOSTS)
def test_the_pattern_of_hosts_takes_what_inventory_takes(text: str) -> None:
    assert takes("address", text) == is_accepted(check_address, text)


@pytest.mark.parametrize(
    "text",
    [
        *HOSTS,
        "10.0.0.5:22",
        "pve1:65535",
        "pve1:65536",
        "pve1:0",
        "pve1:",
        "[fe80::1]:",
        "[fe80::1]:22",
        "fe80::1:x",
        "[fe80::1]",
        "[pve1]:22",
    ],
)
def test_the_pattern_of_ssh_addresses_takes_what_inventory_takes(text: str) -> None:
    assert takes("ssh_address", text) == is_accepted(
        lambda each: split_ssh_address(each, default_port=22), text
    )


@pytest.mark.parametrize(
    ("format_", "template"),
    [("email", "a{}@b.org"), ("email", "a@b{}b.org"), ("email", "a@b.o{}g"), ("uri", "https://h{}t/a"),
     ("uri", "http://h/a?b={}#c"), ("uri", "htt{}://h")],
)  # fmt: skip
def test_the_pattern_of_a_format_takes_what_a_service_takes(format_: str, template: str) -> None:
    assert not takes(format_, template.format(" "))
    for each in CHARACTERS:
        text = template.format(each)
        is_valid = is_valid_format(format_, text) and find_control(text) == ""
        assert takes(format_, text) == is_valid, f"U+{ord(each):04X}"


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
