"""Parsers of catalog items and Compose files take anything at all: a value, or a refusal of their own."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from services.catalog.config import DATA
from services.catalog.convert.items import render_icon
from services.catalog.domain.images import find_image, find_tag_fault
from services.catalog.domain.importers.collection import import_collection
from services.catalog.domain.item_files.document import UnreadableDocumentError, parse_document
from services.catalog.domain.item_files.loader import load_items
from services.catalog.domain.renderer import compose
from services.catalog.domain.renderer.host_needs import list_host_needs
from services.catalog.domain.renderer.interpolation import (
    InterpolationError,
    interpolate_text,
    list_variables,
)
from services.catalog.domain.sources import SourceFormat
from services.catalog.sources.own_files import OwnFiles
from tests.properties import count_examples
from tests.security.strategies import FUZZ, LIKELY, LIMIT_S, PUNCTUATED, TEXT, TREES, check_reason


@FUZZ
@given(
    PUNCTUATED | st.builds("icons/{}{}".format, st.sampled_from(["../", "%2e%2e/", "//", "\\"]), PUNCTUATED)
)
def test_an_icon_is_a_file_of_the_icons_or_none(icon: str) -> None:
    found = OwnFiles(DATA).find_icon(icon.replace("\0", ""))
    assert found is None or (DATA / icon).resolve().is_relative_to(DATA / "icons")


@pytest.mark.parametrize(
    "icon",
    ["../items/nginx.yaml", "icons/../nginx.yaml", "/etc/passwd", "icons/../../../__init__.py", "icons", ""],
)
def test_no_icon_leads_out_of_its_folder(icon: str) -> None:
    assert OwnFiles(DATA).find_icon(icon) is None


@pytest.mark.parametrize(
    "icon",
    [
        "http://169.254.169.254/latest",
        "javascript:alert(1)",
        "data:text/html,x",
        "//evil.example/i",
        "file:///etc",
    ],
)
def test_an_icon_elsewhere_is_named_by_https_and_never_fetched_here(icon: str) -> None:
    item = next(iter(load_items(OwnFiles(DATA).read_item_files(), source="https://items.example").items)).item
    assert render_icon(replace(item, icon=icon)) == ""
    assert render_icon(replace(item, icon="https://cdn.example/i.svg")) == f"/api/catalog/{item.id}/icon"


@FUZZ
@given(PUNCTUATED | st.builds("{}/{}:{}@sha256:{}".format, PUNCTUATED, TEXT, TEXT, TEXT))
def test_image_references(text: str) -> None:
    fault = find_tag_fault(text, pinned=True)
    assert fault is None or isinstance(fault, str)
    assert find_image(text) is not None or fault


@FUZZ
@given(st.binary(max_size=300) | PUNCTUATED.map(str.encode) | TREES.map(yaml.safe_dump).map(str.encode))
def test_documents(data: bytes) -> None:
    try:
        document = parse_document(data, "x.yaml")
    except UnreadableDocumentError as error:
        check_reason(error)
        return
    json.dumps(document.value)


@FUZZ
@given(st.lists(PUNCTUATED | LIKELY, max_size=4))
def test_ports_and_mounts_of_compose(entries: list[Any]) -> None:
    for parse in (compose.parse_ports, compose.parse_mounts):
        try:
            parse([entry for entry in entries if isinstance(entry, str | dict)])
        except compose.InvalidComposeError as error:
            check_reason(error)
        except (KeyError, TypeError, ValueError, AttributeError):
            # The schema of compose comes first; what it does not let pass is not ours to parse.
            assert any(isinstance(entry, dict) for entry in entries)


@FUZZ
@given(PUNCTUATED | st.text(alphabet="${}:-?+_AB\\", max_size=60))
def test_variables_in_compose(text: str) -> None:
    try:
        list_variables(text)
        assert isinstance(interpolate_text(text, {"A": "$(id)", "B": "${A}"}), str)
    except InterpolationError as error:
        check_reason(error)


FILES = st.sampled_from(
    [
        *(
            "templates.json",
            "a/docker-compose.yml",
            "a/config.json",
            "Apps/a/docker-compose.yml",
            "a/umbrel-app.yml",
        ),
        *(
            "apps/a/config.json",
            "apps/a/docker-compose.yml",
            "apps/a/docker-compose.json",
            "compose.yaml",
            "a.yaml",
        ),
    ]
)
CONTENTS = (
    st.binary(max_size=100)
    | LIKELY.map(lambda tree: json.dumps(tree).encode())
    | LIKELY.map(lambda tree: yaml.safe_dump(tree, allow_unicode=True).encode())
)


@pytest.mark.parametrize("kind", list(SourceFormat))
@settings(FUZZ, max_examples=count_examples(60))
@given(files=st.dictionaries(FILES, CONTENTS, max_size=4))
def test_collections_give_items_or_reasons(kind: SourceFormat, files: dict[str, bytes]) -> None:
    imported = import_collection(files, source="fuzz", kind=kind)
    assert all(one.error for one in imported.rejections)
    for item in imported.items:
        assert not list_host_needs(item.document["compose"]) or item.document.get("allows")


BOMBS = {
    "aliases in aliases": b"a: &a [x,x,x,x,x,x,x,x,x]\n"
    + b"".join(b"%c: &%c [%s]\n" % (98 + n, 98 + n, b",".join([b"*%c" % (97 + n)] * 9)) for n in range(12)),
    "an alias of itself": b"a: &a [*a, *a]\n",
    "depth": b"[" * 100_000,
    "depth of mappings": b"".join(b" " * n + b"a:\n" for n in range(1500)),
    "merge keys": b"a: &a {b: c}\n" + b"\n".join(b"x%d: {<<: [*a, *a, *a, *a]}" % n for n in range(5000)),
    "a long scalar": b'a: "' + b"x" * (2 << 20) + b'"',
    "a long number": b"a: " + b"9" * 400_000,
    "exponents": b"a: 1e" + b"9" * 1000,
    "many documents": b"---\na: 1\n" * 50_000,
    "tags": b"!!python/object/apply:os.system ['id']",
    "a huge key": b"? " + b"[" * 5000,
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
def test_bombs_in_yaml_are_refused_at_once(bomb: bytes) -> None:
    began = time.process_time()
    try:
        size = len(json.dumps(parse_document(bomb, "bomb.yaml").value))
    except UnreadableDocumentError:
        size = 0
    assert time.process_time() - began < LIMIT_S
    assert size < 2_000_000
