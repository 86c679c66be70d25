"""The documentation pages and their assets, served by Envoy from `static/`."""

from __future__ import annotations

from typing import Any

from gateway.settings import GatewaySettings
from gateway.surface import Surface


def list_page_paths(settings: GatewaySettings) -> list[str]:
    """Return the paths of pages and assets, without trailing slash."""
    return []


def render_page_routes(surface: Surface, settings: GatewaySettings) -> list[dict[str, Any]]:
    """Return a route for each page and asset."""
    return []
