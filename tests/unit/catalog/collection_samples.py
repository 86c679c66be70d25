"""Samples of collections of other systems and their import."""

from __future__ import annotations

import json
from typing import Any

import yaml

from services.catalog.domain.entities import Item
from services.catalog.domain.importers.collection import Imported, import_collection
from services.catalog.domain.renderer.rendered_definition import render_item
from services.catalog.domain.renderer.values import RenderRequest
from services.catalog.domain.sources import SourceFormat

Files = dict[str, bytes]


def load(files: dict[str, str], kind: SourceFormat) -> Imported:
    return import_collection({k: v.encode() for k, v in files.items()}, source="acme", kind=kind)


def load_one(files: dict[str, str], kind: SourceFormat) -> Item:
    imported = load(files, kind)
    assert imported.rejections == ()
    (entry,) = imported.items
    return entry.item


def run(item: Item) -> dict[str, Any]:
    rendered = render_item(item, RenderRequest(runtime="compose", public_port=30_000))
    services: dict[str, Any] = yaml.safe_load(rendered.compose_yaml)["services"]
    return services


def portainer(*templates: dict[str, Any], version: str = "3") -> dict[str, str]:
    return {"templates.json": json.dumps({"version": version, "templates": templates})}


WEB = {
    "type": 1, "title": "Web Thing", "description": "A thing", "categories": ["Web", "Tools"], "platform": "linux",
    "image": "acme/thing", "ports": ["8080:80/tcp", "9000:9000/udp"], "restart_policy": "unless-stopped",
    "volumes": [{"container": "/data", "bind": "/portainer/Files/AppData/Config/thing"}, {"container": "/more"}],
    "env": [{"name": "MODE", "label": "Mode", "select": [{"text": "Fast", "value": "fast", "default": True}, {"text": "Slow", "value": "slow"}]},
            {"name": "ADMIN_PASSWORD", "default": "changeme"}, {"name": "TITLE", "default": "Hello"}],
}  # fmt: skip
