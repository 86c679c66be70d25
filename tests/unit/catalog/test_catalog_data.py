"""The items of this repository."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from services.catalog.__main__ import run_command
from services.catalog.check import check_folder
from services.catalog.domain.entities import Item
from services.catalog.domain.render import render_item
from services.catalog.domain.values import RenderRequest
from services.catalog.files import DATA
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


def test_there_are_at_least_sixty_and_those_that_are_asked_for(items: dict[str, Item]) -> None:
    assert len(items) >= 60
    assert items.keys() >= NAMED


def test_every_item_has_an_icon_of_its_own_and_says_how_to_reach_it(items: dict[str, Item]) -> None:
    for item in items.values():
        assert (DATA / "icons" / f"{item.id}.svg").is_file(), item.id
        assert item.main_port is not None, item.id
        assert item.probe.kind == ("http" if item.main_port.purpose == "web" else item.probe.kind), item.id


def test_every_secret_of_our_items_is_generated_when_not_given(items: dict[str, Item]) -> None:
    for item in items.values():
        for item_input in item.inputs:
            assert not item_input.secret or item_input.generate, f"{item.id}: {item_input.name}"


def test_every_item_publishes_its_main_port_where_it_is_told(items: dict[str, Item]) -> None:
    example = {"url": "https://example.com", "email": "a@example.com"}
    for item in items.values():
        given = {
            i.name: example.get(i.type, "example") for i in item.inputs if i.required and i.default is None
        }
        rendered = render_item(item, RenderRequest(runtime="compose", public_port=31_234, environment=given))
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
