"""Map of the categories of other collections, of which there are hundreds, to ours."""

from __future__ import annotations

import re

# In order: the first category with a word of the foreign name wins, so special ones come before general ones.
_WORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Databases", ("database", "databases", "sql", "nosql", "db")),
    ("Media", ("media", "video", "music", "audio", "streaming", "tv", "entertainment", "multimedia")),
    ("Photos", ("photo", "photos", "photography", "image")),
    ("Books and reading", ("book", "books", "ebook", "comics", "reader", "rss", "feeds", "bookmarks")),
    (
        "Downloads",
        ("download", "downloader", "downloaders", "downloads", "torrent", "usenet", "arr", "indexer"),
    ),
    ("Games", ("game", "games", "gaming", "minecraft")),
    ("Smart home", ("home", "smart", "automation", "iot", "mqtt", "homeautomation")),
    ("Monitoring", ("monitoring", "monitor", "metrics", "logging", "logs", "uptime", "observability")),
    ("Network", ("network", "networking", "dns", "vpn", "proxy", "firewall", "adblock", "router")),
    ("Security", ("security", "password", "passwords", "authentication", "auth", "privacy", "vault")),
    ("Development", ("development", "developer", "dev", "code", "ci", "git", "devops", "programming")),
    ("Artificial intelligence", ("ai", "llm", "ml", "artificial", "machine")),
    ("Files and storage", ("file", "files", "storage", "data", "cloud", "backup", "sync", "nas", "share")),
    ("Notes and documents", ("note", "notes", "document", "documents", "wiki", "documentation", "knowledge")),
    (
        "Communication",
        ("communication", "chat", "social", "messaging", "mail", "email", "forum", "notification"),
    ),
    ("Finance", ("finance", "money", "bitcoin", "crypto", "budget", "accounting", "lightning")),
    ("Productivity", ("productivity", "office", "task", "tasks", "project", "crm", "erp", "business")),
    ("Web and publishing", ("web", "cms", "blog", "website", "publishing", "ecommerce", "wordpress")),
    ("Analytics", ("analytics", "statistics", "bi")),
    ("Dashboards", ("dashboard", "dashboards", "homepage", "startpage")),
    ("Tools", ("tool", "tools", "utility", "utilities", "utils", "system", "admin", "management", "docker")),
)


def name_category(text: str) -> str:
    """Return our category for a foreign one; Other when none corresponds."""
    words = set(re.findall(r"[a-z]+", text.lower()))
    return next((name for name, known in _WORDS if words & set(known)), "Other")
