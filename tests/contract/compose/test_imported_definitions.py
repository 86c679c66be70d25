"""What is imported is valid for the real Docker Compose, and means there what its source means there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from services.apps.domain.compose import render_values_file
from services.catalog.commands import list_example_values
from services.catalog.domain.importers.collection import import_collection
from services.catalog.domain.item_files.loader import LoadedItem
from services.catalog.domain.renderer.rendered_definition import render_item
from services.catalog.domain.renderer.values import RenderRequest
from services.catalog.domain.sources import SourceFormat
from tests.contract.compose.differences import list_differences
from tests.contract.compose.judge import find_program, read_project
from tests.properties import count_examples
from tests.unit.catalog.collection_builders import BUILDS


@pytest.fixture(scope="module")
def program() -> Path:
    return find_program()


def read_rendered(program: Path, entry: LoadedItem) -> dict[str, Any]:
    """An item as Compose reads it in an app's container, with example values where some are required."""
    example = list_example_values(entry.item)
    rendered = render_item(
        entry.item,
        RenderRequest(runtime="compose", public_port=31_999, hostname="app-1", environment=example),
    )
    definition = yaml.safe_load(rendered.compose_yaml)
    return read_project(program, definition, render_values_file(rendered.compose_yaml, rendered.environment))


@pytest.mark.parametrize("kind", BUILDS)
def test_whatever_is_published_is_valid_for_compose(program: Path, kind: SourceFormat) -> None:
    entries = list(BUILDS[kind]())
    content = {path: text.encode() for _, files, _ in entries for path, text in files.items()}
    items = import_collection(content, source="acme", kind=kind).items
    assert items
    for entry in items:
        project = read_rendered(program, entry)
        assert project["services"], entry.item.id
        assert not any("${" in str(service.get("image")) for service in project["services"].values())


NAMES = st.sampled_from(["MODE", "LEVEL", "PATHS", "GREETING", "UNSET"])
TEXTS = st.sampled_from(
    [
        "plain",
        "a b",
        "5$$ only",
        "x#y",
        "é漢",
        '{"a":{"b":1}}',
        "",
        "C:\\dir",
        "$? and $(x)",
        "'quoted'",
        "a:b",
        "0755",
        "yes",
    ]
)
VALUES = st.one_of(
    TEXTS,
    st.builds("${{{}}}".format, NAMES),
    st.builds("${{{}{}{}}}".format, NAMES, st.sampled_from([":-", "-", ":+", "+"]), TEXTS),
    st.builds("pre-${{{}:-${{{}-x}}}}-post".format, NAMES, NAMES),
    st.sampled_from([5, 1.5, True, None]),
)
ENVIRONMENTS = st.one_of(
    st.dictionaries(st.sampled_from(["A", "B", "MODE", "UNSET"]), VALUES, max_size=4),
    st.lists(
        st.one_of(NAMES, st.builds("{}={}".format, st.sampled_from(["A", "B"]), TEXTS)),
        max_size=3,
        unique_by=lambda t: t.partition("=")[0],
    ),
)
PORTS = st.lists(
    st.sampled_from(
        ["9090:90", "9091:91/UDP", "127.0.0.1:9092:92", "[::1]:9093:93/tcp", "9094-9096:94-96", "0.0.0.0:9097:97",
         {"target": 98, "published": "9098", "protocol": "udp"}, {"target": 99, "published": 9099, "host_ip": "127.0.0.1"}]
    ),
    max_size=4,
    unique_by=str,
)  # fmt: skip
SERVICES = st.fixed_dictionaries(
    {
        "image": st.sampled_from(
            ["acme/app:1.2", "acme/app:${TAG:-3}", "${REGISTRY:-ghcr.io}/acme/app:${LEVEL}"]
        )
    },
    optional={
        "environment": ENVIRONMENTS,
        "ports": PORTS,
        "command": st.one_of(
            TEXTS.filter(lambda text: "'" not in text),
            st.lists(st.sampled_from(["run", "${MODE}", "--x=$$y"]), max_size=3),
        ),
        "volumes": st.lists(
            st.sampled_from(["data:/data", "./conf:/conf:ro", "cache:/var/cache/x"]), max_size=3, unique=True
        ),
        "extra_hosts": st.just(["ldap.example.org:192.0.2.5"]),
        "dns": st.just(["192.0.2.53"]),
        "stop_grace_period": st.just("2m"),
        "env_file": st.just(["app.env"]),
        "user": st.just("1000"),
        "tty": st.booleans(),
    },
)
DOTENV = "MODE=fast\nLEVEL='7'\nPATHS=\"a\\tb\"\nGREETING=hello ${MODE}  # why\n"
APP_ENV = "FROM_FILE=\"two\nlines\"\nJOINED=${MODE}-${FROM_FILE}\nRAW='$x'\n"


@settings(max_examples=count_examples(30))
@given(web=SERVICES, worker=SERVICES)
def test_an_imported_definition_means_what_its_source_means(
    program: Path, web: dict[str, Any], worker: dict[str, Any]
) -> None:
    worker = {**worker, "ports": [], "depends_on": ["web"]}
    web = {**web, "ports": ["8080:80", *web.get("ports", [])]}
    definition = {"services": {"web": web, "worker": worker}, "volumes": {"data": {}, "cache": {}}}
    files = {"compose.yaml": json.dumps(definition), ".env": DOTENV, "app.env": APP_ENV, "conf/a": "1"}
    imported = import_collection(
        {f"app/{path}": text.encode() for path, text in files.items()},
        source="acme",
        kind=SourceFormat.COMPOSE,
    )
    assert not imported.rejections
    (entry,) = imported.items
    source = read_project(program, definition, DOTENV, files=files)
    assert not list_differences(source, read_rendered(program, entry), main_port=80)
