"""What people search for, and the app they mean, among apps of collections whose names fit the words better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from services.catalog.commands import check_folder
from services.catalog.config import DATA
from services.catalog.domain.entities import Item
from services.catalog.domain.search.catalog_index import CatalogIndex, ItemFilter
from tests.unit.catalog.samples import build

QUERIES: dict[str, set[str]] = {
    "photos": {"immich", "photoprism"},
    "chat": {"mattermost", "synapse", "element-web", "thelounge"},
    "music": {"navidrome", "jellyfin", "lidarr"},
    "vpn": {"wg-easy", "tailscale", "headscale"},
    "wireguard": {"wg-easy"},
    "dashboard": {"homepage", "homarr", "dashy", "heimdall"},
    "media server": {"jellyfin", "emby"},
    "movies": {"jellyfin", "radarr", "emby"},
    "rss": {"freshrss", "miniflux"},
    "torrent": {"qbittorrent", "transmission"},
    "dns": {"pihole", "adguard-home"},
    "ad blocker": {"pihole", "adguard-home"},
    "backup": {"duplicati"},
    "password manager": {"vaultwarden"},
    "git": {"gitea", "forgejo"},
    "wiki": {"wikijs", "bookstack", "dokuwiki", "docmost"},
    "notes": {"memos", "trilium", "hedgedoc"},
    "recipes": {"mealie", "tandoor"},
    "ebooks": {"calibre-web", "kavita", "komga"},
    "home automation": {"home-assistant", "nodered", "esphome"},
    "monitoring": {"uptime-kuma", "grafana", "beszel"},
    "database": {"postgres", "mariadb", "mysql", "mongo"},
    "mail": {"roundcube", "mailpit"},
    "ai": {"ollama", "open-webui"},
    "file sharing": {"nextcloud", "syncthing", "pairdrop"},
    "budget": {"actual-budget", "firefly-iii"},
    "kanban": {"planka", "vikunja", "kanboard"},
    "automation": {"n8n", "home-assistant", "nodered"},
    "bookmarks": {"linkding", "linkwarden", "karakeep", "shiori"},
    "pdf": {"stirling-pdf"},
    "cloud storage": {"nextcloud", "minio"},
    "analytics": {"umami", "matomo"},
    "blog": {"wordpress", "ghost"},
    "calendar": {"nextcloud", "baikal"},
    "reverse proxy": {"nginx-proxy-manager", "caddy"},
    "minecraft": {"minecraft"},
    "nextcloud": {"nextcloud"},
}

# Names and descriptions as collections have them: each fits one of the words above in its name or its text.
RIVALS = (
    ("PhotoShow", "Photo gallery"), ("Ente Photos", "Photos"), ("Chatto", "Chat"), ("Chatwoot", "Chat with customers"),
    ("Chatpad AI", "ChatGPT user interface"), ("Music Assistant", "Music library"), ("mStream Music", "Music streaming"),
    ("Deluge VPN", "Torrent client with VPN"), ("qFlood", "Torrent client with WireGuard VPN"),
    ("Flame Dashboard", "Start page"), ("Satoshi Dashboard", "Bitcoin"), ("DeepSea Dashboard", "Start page"),
    ("Kiwix Server", "Media for schools"), ("Petio", "Media requests"), ("RSS-Bridge", "RSS feeds"),
    ("SimpleTorrent", "Torrent client"), ("Duck DNS", "Dynamic DNS"), ("Backup Status", "Status of backups"),
    ("Domain Locker", "Blocks nothing: an ad for domains"), ("GitIngest", "Git for prompts"), ("Mail Archiver", "Archives mail"),
    ("AI Playground", "AI"), ("nextcloud", "Files"), ("Ghost (container)", "Blog"), ("Nextcloud Mini", "Files"), ("Movie Roulette", "Movies"),
    ("Database Backup", "Dumps"), ("Notesnook", "Notes"), ("Automation Hub", "Automation"), ("LeafWiki", "Wiki"),
    ("Budget Board", "Budget"), ("PdfDing", "PDF"), ("Cloud Commander", "Cloud storage"), ("Calendar Sync", "Calendar"),
)  # fmt: skip


@pytest.fixture(scope="module")
def index() -> CatalogIndex:
    base = build()
    rivals = [
        replace(base, id=f"foreign.{number}", source="foreign", name=name, description=text, tags=("tools",))
        for number, (name, text) in enumerate(RIVALS)
    ]
    again = [replace(item, id=f"other.{item.id}", source="other", name=item.name) for item in rivals[:3]]
    return CatalogIndex([*check_folder(DATA)[0], *rivals, *again])


def find(index: CatalogIndex, query: str) -> Sequence[Item]:
    return index.search_items(query, ItemFilter())


def test_there_are_at_least_thirty_queries() -> None:
    assert len(QUERIES) >= 30


@pytest.mark.parametrize(("query", "meant"), QUERIES.items(), ids=QUERIES)
def test_the_app_that_is_meant_is_first_or_second(index: CatalogIndex, query: str, meant: set[str]) -> None:
    assert {item.id for item in find(index, query)[:2]} & meant


def test_an_app_of_several_sources_is_one_entry_and_ours_stands_for_it(index: CatalogIndex) -> None:
    (entry,) = [item for item in find(index, "nextcloud") if item.name.casefold() == "nextcloud"]
    assert entry.source == "builtin"
    assert {source.source for source in entry.sources} == {"builtin", "foreign"}
    assert [
        item.id for item in index.list_items(ItemFilter(source="foreign")) if item.name == "nextcloud"
    ] == [source.item_id for source in entry.sources if source.source == "foreign"]


def test_all_sources_of_an_app_have_its_category(index: CatalogIndex) -> None:
    for entry in index.entries:
        assert {index.get_item(source.item_id).category for source in entry.sources} == {entry.category}


def test_many_sources_count_more_than_one_of_equal_words() -> None:
    base = build()
    names = [("aaa", "one", "Widget Alpha"), ("bbb", "one", "Widget Omega"), ("ccc", "two", "Widget Omega")]
    items = [replace(base, id=f"{source}.{key}", source=source, name=name) for key, source, name in names]
    assert [item.name for item in find(CatalogIndex(items), "widget")] == ["Widget Omega", "Widget Alpha"]


def test_a_variant_in_brackets_is_the_same_app(index: CatalogIndex) -> None:
    assert [item.id for item in find(index, "ghost")[:1]] == ["ghost"]
    assert {source.source for source in index.get_item("ghost").sources} == {"builtin", "foreign"}
