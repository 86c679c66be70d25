"""The items of this repository."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
import yaml

from services.apps.domain.compose import render_env_file
from services.catalog.__main__ import run_command
from services.catalog.commands import check_folder, list_example_values
from services.catalog.config import DATA
from services.catalog.convert.items import render_item
from services.catalog.domain.entities import Item
from services.catalog.domain.importers.plain_text import strip_markup
from services.catalog.domain.renderer.rendered_definition import render_item as render
from services.catalog.domain.renderer.values import RenderRequest
from services.catalog.domain.search.known_apps import CATEGORIES
from services.catalog.sources.own_icons import BRANDS
from tests.contract.compose.judge import ComposeError, find_program, read_project
from tests.unit.catalog.samples import ITEM, replaced

NAMED = {
    "adminer", "nginx", "postgres", "redis", "gitea", "vaultwarden", "uptime-kuma", "n8n", "grafana", "nextcloud",
    "jellyfin", "pihole",
}  # fmt: skip


@pytest.fixture(scope="module")
def items() -> dict[str, Item]:
    good, faults = check_folder(DATA)
    assert faults == []
    return {item.id: item for item in good}


def test_there_are_at_least_120_and_those_that_are_asked_for(items: dict[str, Item]) -> None:
    assert len(items) >= 120
    assert items.keys() >= NAMED


def test_every_item_has_an_icon_of_its_own_and_says_how_to_reach_it(items: dict[str, Item]) -> None:
    for item in items.values():
        assert (DATA / "icons" / f"{item.id}.svg").is_file(), item.id
        assert item.main_port is not None, item.id
        assert item.probe.kind == ("http" if item.main_port.purpose == "web" else item.probe.kind), item.id


def test_every_secret_of_our_items_is_generated_when_not_given(items: dict[str, Item]) -> None:
    for item in items.values():
        for item_input in item.inputs:
            is_issued_elsewhere = item_input.required and item_input.default is None
            assert not item_input.secret or item_input.generate or is_issued_elsewhere, (
                f"{item.id}: {item_input.name}"
            )


def test_every_item_is_in_a_curated_category(items: dict[str, Item]) -> None:
    assert {item.category for item in items.values()} <= CATEGORIES


def test_nothing_that_people_read_has_markup_or_raw_variables(items: dict[str, Item]) -> None:
    for item in items.values():
        shown = render_item(item)
        texts = [shown.description, shown.default_credentials, shown.release_notes, *shown.notes]
        texts += [text for one in shown.inputs for text in (one.label, one.help)]
        for text in texts:
            assert "${" not in text, item.id
            assert text == strip_markup(text), item.id


def test_icons_that_are_listed_as_brands_are_drawn_and_named_in_the_notice(items: dict[str, Item]) -> None:
    listed = json.loads((DATA / "icons" / BRANDS).read_text())
    assert f"{listed['source']}" in (DATA / "icons" / "NOTICE.md").read_text()
    assert listed["version"] in (DATA / "icons" / "NOTICE.md").read_text()
    assert len(listed["icons"]) >= 70
    for item_id, brand in listed["icons"].items():
        icon = (DATA / "icons" / f"{item_id}.svg").read_text()
        assert f'fill="#{brand["colour"].lower()}"' in icon, item_id
        assert "<path" in icon, item_id
        assert item_id in items


async def test_every_item_is_a_project_of_the_real_compose(items: dict[str, Item]) -> None:
    program = find_program()

    def judge(item: Item) -> str:
        request = RenderRequest(runtime="compose", public_port=31_234, environment=list_example_values(item))
        rendered = render(item, request)
        try:
            project = read_project(
                program, yaml.safe_load(rendered.compose_yaml), render_env_file(rendered.environment)
            )
        except ComposeError as error:
            return f"{item.id}: {error}"
        images = {service["image"] for service in project["services"].values()}
        return "" if images == set(rendered.images) else f"{item.id}: {images} for {rendered.images}"

    faults = await asyncio.gather(*(asyncio.to_thread(judge, item) for item in items.values()))
    assert [fault for fault in faults if fault] == []


def test_every_item_publishes_its_main_port_where_it_is_told(items: dict[str, Item]) -> None:
    example = {"url": "https://example.com", "email": "a@example.com"}
    for item in items.values():
        given = {
            i.name: example.get(i.type, "example") for i in item.inputs if i.required and i.default is None
        }
        rendered = render(item, RenderRequest(runtime="compose", public_port=31_234, environment=given))
        services = yaml.safe_load(rendered.compose_yaml)["services"]
        published = [port["published"] for service in services.values() for port in service.get("ports", [])]
        assert published.count("31234") == 1, item.id


def test_the_check_command_fails_on_a_fault_and_names_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sample.yaml").write_text(replaced("COST: 5$$", "COST: 5$"))
    assert run_command(["check", str(tmp_path)]) == 1
    assert "sample.yaml:34: " in capsys.readouterr().out


def test_the_check_command_passes_a_folder_without_faults(tmp_path: Path) -> None:
    (tmp_path / "sample.yaml").write_text(ITEM)
    assert run_command(["icons", str(tmp_path)]) == 0
    assert run_command(["check", str(tmp_path)]) == 0
