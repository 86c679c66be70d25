"""What collections in the field look like is imported, all but what needs its host, and that says so."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from proximity.catalog.v1 import catalog_service_pb2
from proximity.common.v1 import rules_pb2

from services.catalog.domain.importers.collection import READERS, import_collection
from services.catalog.domain.item_files.loader import LoadedItem
from services.catalog.domain.renderer.rendered_definition import render_item
from services.catalog.domain.renderer.values import RenderRequest
from services.catalog.domain.sources import SourceFormat
from tests.unit.catalog.collection_builders import BUILDS

ROOT = Path(__file__).parents[3]


def test_every_format_is_accepted_read_and_tried_here() -> None:
    """A format is an enum member, a value that the API accepts, a reader, and samples in this suite."""
    field = catalog_service_pb2.CreateSourceRequest.DESCRIPTOR.fields_by_name["format"]
    accepted = list(getattr(field.GetOptions().Extensions[rules_pb2.rules], "in"))
    assert accepted == [kind.value for kind in SourceFormat]
    foreign = set(SourceFormat) - {SourceFormat.NATIVE}
    assert set(READERS) == foreign
    assert set(BUILDS) == foreign


@pytest.mark.parametrize(
    ("path", "quoted"),
    [
        ("protos/proximity/catalog/v1/item.proto", '"{}"'),
        ("gateway/console/src/screens/admin/SourceForm.svelte", '"{}"'),
        ("clients/ansible/proximity.platform/plugins/modules/catalog_source.py", '"{}"'),
        ("docs/catalog.md", "| `{}` |"),
    ],
)
def test_every_format_is_offered_and_described(path: str, quoted: str) -> None:
    text = (ROOT / path).read_text()
    assert [kind.value for kind in SourceFormat if quoted.format(kind.value) not in text] == []


@pytest.mark.parametrize("kind", BUILDS)
def test_each_entry_is_published_or_left_out_with_its_reason(kind: SourceFormat) -> None:
    for name, files, reason in BUILDS[kind]():
        content = {path: text.encode() for path, text in files.items()}
        imported = import_collection(content, source="acme", kind=kind)
        errors = [rejection.error for rejection in imported.rejections]
        if reason:
            assert [reason in error for error in errors] == [True], f"{name}: {errors}"
        else:
            assert errors == [], name
        assert len(imported.items) == (0 if reason else 1), name


@pytest.mark.parametrize("kind", BUILDS)
def test_a_whole_collection_is_published_and_what_is_published_runs(kind: SourceFormat) -> None:
    entries = list(BUILDS[kind]())
    content = {path: text.encode() for _, files, _ in entries for path, text in files.items()}
    imported = import_collection(content, source="acme", kind=kind)
    meant = sum(not reason for _, _, reason in entries)
    assert len(imported.items) >= 0.95 * meant
    assert len(imported.items) + len(imported.rejections) == len(entries)
    for entry in imported.items:
        given = {i.name: "https://example.com" for i in entry.item.inputs if i.required and i.type == "url"}
        given |= {i.name: "you@example.com" for i in entry.item.inputs if i.required and i.type == "email"}
        given |= {
            i.name: "example1" for i in entry.item.inputs if i.required and i.type in {"text", "password"}
        }
        rendered = render_item(
            entry.item, RenderRequest(runtime="compose", public_port=30_000, environment=given)
        )
        assert yaml.safe_load(rendered.compose_yaml)["services"], entry.item.id


def load(kind: SourceFormat, number: int) -> LoadedItem:
    _, files, _ = list(BUILDS[kind]())[number]
    content = {path: text.encode() for path, text in files.items()}
    return import_collection(content, source="acme", kind=kind).items[0]


def test_what_coolify_makes_up_is_generated_and_its_addresses_are_the_app_s() -> None:
    page = load(SourceFormat.COOLIFY, 0)
    assert page.item.main_port is not None
    assert page.item.main_port.container == 3000
    address = "http://${PROXIMITY_HOSTNAME}:${PROXIMITY_PUBLIC_PORT}"
    assert page.document["compose"]["services"]["app"]["environment"] == {
        "SERVICE_URL_APP_3000": address,
        "URL": address,
    }
    assert (page.item.description, page.item.documentation) == ("Does.", "https://e.com/d")
    database = load(SourceFormat.COOLIFY, 1)
    services = database.document["compose"]["services"]
    assert services["app"]["environment"]["SERVICE_FQDN_APP"] == "${PROXIMITY_HOSTNAME}/api"
    assert services["db"]["environment"]["POSTGRES_PASSWORD"] == "${SERVICE_PASSWORD_64_DB}"
    generated = {i.name: i.generate.length for i in database.item.inputs if i.generate}
    assert generated == {"SERVICE_PASSWORD_64_DB": 64}
    files = load(SourceFormat.COOLIFY, 2).document["compose"]
    assert [config["content"] for config in files["configs"].values()] == ['key = "${SERVICE_HEX_32_KEY}"']
    assert files["services"]["app"]["volumes"] == ["data:/data"]


def test_what_dokploy_makes_up_is_generated_and_its_files_are_handed_over() -> None:
    page = load(SourceFormat.DOKPLOY, 0)
    assert page.item.main_port is not None
    assert page.item.main_port.container == 3000
    environment = page.document["compose"]["services"]["app"]["environment"]
    assert environment["URL"] == "http://${PROXIMITY_HOSTNAME}:${PROXIMITY_PUBLIC_PORT}/x"
    assert environment["PW"] == "${PW}"
    inputs = {i.name: i for i in page.item.inputs}
    assert inputs["PW"].generate is not None
    assert inputs["PW"].generate.length == 24
    assert inputs["PLAIN"].default == "1"
    files = load(SourceFormat.DOKPLOY, 1).document["compose"]
    assert [config["content"] for config in files["configs"].values()] == ["secret $$B $${missing}"]
    assert files["services"]["app"]["environment"] == {"A": "${A}", "B": "${GENERATED}"}


@pytest.mark.parametrize(
    ("path", "text", "name"),
    [
        (
            "public/v4/apps/gitea.yml",
            "captainVersion: 4\nservices:\n  $$cap_appname: {image: 'a:1'}\n",
            "CapRover",
        ),
        ("captain-definition", "{}", "CapRover"),
        ("ix-dev/community/actual/ix_values.yaml", "images: {}\n", "TrueNAS"),
    ],
)
def test_collections_of_templates_for_other_software_are_refused_with_a_sentence(
    path: str, text: str, name: str
) -> None:
    imported = import_collection({path: text.encode()}, source="acme", kind=SourceFormat.COMPOSE)
    assert not imported.items
    assert name in imported.rejections[0].error
