"""What needs the host is deployed by an administrator's leave only, whatever the item's author declares."""

from __future__ import annotations

import pytest

from services.catalog.config import DATA, CatalogSettings
from services.catalog.domain.errors import UnsafeDefinitionError
from services.catalog.domain.item_files.loader import load_items
from services.catalog.domain.renderer.host_needs import check_host_needs, list_host_needs
from services.catalog.sources.own_files import OwnFiles
from services.common.core.config import read_settings
from tests.unit.catalog.samples import build

SECRET = "Zk3vR8q1Xw7LmT5bN0cJ6hF2dS9gPyUa"


@pytest.mark.parametrize(
    "line",
    [
        "privileged: true",
        "network_mode: container:other",
        "pid: host",
        "ipc: host",
        "cap_add: [SYS_ADMIN]",
        "devices: ['/dev/mem:/dev/mem']",
        "volumes: ['/etc:/host']",
        "volumes: ['/var/run/docker.sock:/var/run/docker.sock']",
        "volumes: [{type: bind, source: /, target: /host}]",
        "security_opt: ['apparmor=unconfined']",
        "userns_mode: host",
        "cgroup: host",
    ],
)
def test_what_reaches_out_of_the_container_counts_as_a_need_of_the_host(line: str) -> None:
    import yaml

    service = {"image": "x:1", **yaml.safe_load(line)}
    assert list_host_needs({"services": {"x": service}})


def test_an_item_with_needs_is_refused_until_an_administrator_names_it() -> None:
    item = build()
    check_host_needs(item, ())
    needy = build(_with_allowance())
    with pytest.raises(UnsafeDefinitionError, match="CATALOG_HOST_NEEDS"):
        check_host_needs(needy, ("another",))
    check_host_needs(needy, (needy.id,))


def _with_allowance() -> str:
    from tests.unit.catalog.samples import ITEM

    return f"{ITEM}\nallows: [host_paths]\n"


def test_nothing_of_the_catalog_that_comes_with_it_needs_the_host() -> None:
    loaded = load_items(OwnFiles(DATA).read_item_files(), source="test")
    assert not [one.item.id for one in loaded.items if one.item.allows]


def test_the_setting_names_items() -> None:
    settings = read_settings(CatalogSettings, {"SECRET_KEY": SECRET, "CATALOG_HOST_NEEDS": "a, b"})
    assert settings.host_needs == ("a", "b")
