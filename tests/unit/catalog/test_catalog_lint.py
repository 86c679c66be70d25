"""The linter explains each fault with its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import services.catalog
from services.catalog.domain.item_files.document import parse_document
from services.catalog.domain.item_files.loader import load_items
from services.catalog.domain.item_files.schema import matches_pattern
from tests.unit.catalog.samples import ITEM, build, lint, replaced


def line_of(text: str, part: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


def test_a_good_item_has_no_faults() -> None:
    assert lint(ITEM) == []
    item = build()
    assert (item.id, item.images, item.main_port and item.main_port.published) == (
        "sample",
        ("example/web:1.0",),
        8080,
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("id: sample", "id: Sample!", "id:"),
        ("name: Sample App", "nome: Sample App", "nome"),
        ("image: example/web:1.0", "image: example/web:latest", "not pinned"),
        ("image: example/web:1.0", "image: example/web", "not pinned"),
        ("image: example/web:1.0", "image: Example Web", "not an image reference"),
        ("image: example/web:1.0", "imago: example/web:1.0", "imago"),
        ("container: 80, published: 8080", "container: 81, published: 8080", "does not publish 8080:81"),
        ('ports: ["8080:80"]', 'ports: ["8080:80", "9000:9000"]', "9000/tcp is not under ports"),
        ('ports: ["8080:80"]', 'ports: ["80"]', "publishes 80 nowhere"),
        ('ports: ["8080:80"]', 'ports: ["80:90:100:110"]', "is not a port"),
        ("purpose: web}", "purpose: api}", "no port is web or main"),
        ("path: /data, purpose", "path: /other, purpose", "does not mount"),
        ('volumes: ["data:/data"]', 'volumes: ["data:/data", "more:/more"]', "not under volumes"),
        ('volumes: ["data:/data"]', 'volumes: ["data:/data", "/etc:/host"]', "host_paths"),
        ('volumes: ["data:/data"]', 'volumes: ["data:/data"]\n      privileged: true', "privileged"),
        (
            'volumes: ["data:/data"]',
            'volumes: ["data:/data"]\n      network_mode: container:other',
            "host_network",
        ),
        ('volumes: ["data:/data"]', 'volumes: ["data:/data"]\n      cap_add: [SYS_ADMIN]', "capabilities"),
        (
            'volumes: ["data:/data"]',
            'volumes: ["data:/data"]\n      devices: ["/dev/dri:/dev/dri"]',
            "devices",
        ),
        ('volumes: ["data:/data"]', 'volumes: ["data:/data"]\n      depends_on: [db]', "no service"),
        ('volumes: ["data:/data"]', 'volumes: ["data:/data"]\n      networks: [lan]', "not declared"),
        (
            'volumes: ["data:/data"]',
            'volumes: ["data:/data"]\n      command: run ${ADMIN_PASSWORD}',
            "shows a secret",
        ),
        ("COST: 5$$", "COST: 5$", "write $$ for a dollar"),
        ("COST: 5$$", "COST: ${NOBODY}", "is no input"),
        ("TITLE: ${TITLE}", "TITLE: fixed", "used nowhere"),
        ("default: 3}", "default: 12}", "at most 9"),
        ("type: url, required: true}", "type: choice, required: true}", "has choices"),
        ("type: url, required: true}", "type: text, pattern: '(?=x)'}", "linear-time"),
        ("generate: {length: 20}}", "generate: {length: 20}, default: x}", "either generated"),
        ("{minimum: 64, recommended: 128}", "{minimum: 64, recommended: 32}", "less is recommended"),
    ],
)
def test_each_fault_is_named_with_the_line_it_is_on(old: str, new: str, message: str) -> None:
    text = replaced(old, new)
    faults = lint(text)
    assert any(message in fault.message for fault in faults), faults
    (fault, *_) = [fault for fault in faults if message in fault.message]
    changed = {number for number, line in enumerate(text.splitlines(), 1) if line not in ITEM.splitlines()}
    related = {line_of(text, part) for part in ("ports:", "name: TITLE", "container: ")}
    assert fault.line in changed | related
    assert fault.file == "sample.yaml"


def test_two_services_cannot_claim_oci() -> None:
    text = ITEM.replace(
        "  volumes:\n    data:\n", "    db:\n      image: example/db:1.0\n  volumes:\n    data:\n"
    )
    assert [fault.message for fault in lint(text)] == ["oci runs one image, and this app has more services"]


def test_one_bad_file_never_takes_the_others_away() -> None:
    good = [(f"app-{n}.yaml", ITEM.replace("id: sample", f"id: app-{n}").encode()) for n in range(5)]
    bad = [
        ("bad-bytes.yaml", b"\xff"), ("empty.yaml", b""), ("list.yaml", b"- 1"), ("text.yaml", b"hello"),
        ("deep.yaml", b"[" * 5000), ("twice.yaml", good[0][1]), ("huge.yaml", b"a" * 1_000_000),
        ("odd.yaml", ITEM.replace("Hello", '"\\uD800"').encode()),
    ]  # fmt: skip
    mixed = [file for pair in zip(bad, [*good, *bad], strict=False) for file in pair]
    loaded = load_items(dict(mixed).items(), source="builtin")
    assert {entry.item.id for entry in loaded.items} == {f"app-{n}" for n in range(5)}
    assert {fault.file for fault in loaded.faults} >= {name for name, _ in bad if name != "odd.yaml"}


def test_patterns_take_linear_time_and_match_whole_values() -> None:
    assert matches_pattern("a+b", "aab")
    assert not matches_pattern("a+b", "aabc")
    assert not matches_pattern("(a+)+b", "a" * 50_000)


def test_the_published_schema_names_every_field_of_our_items() -> None:
    folder = Path(services.catalog.__file__).parent
    schema = json.loads((folder / "schema.json").read_text())
    used = {
        key
        for path in (folder / "data").glob("*.yaml")
        for key in parse_document(path.read_bytes(), path.name).value
    }
    assert used <= schema["properties"].keys()
    assert set(schema["required"]) <= used
