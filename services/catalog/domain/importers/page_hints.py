"""Port of an app's page that its collection names indirectly: in labels for a proxy, or in a health check."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from services.catalog.domain.importers.draft import Draft, take_list, take_mapping, take_port
from services.catalog.domain.importers.mounts import resolve_text
from services.catalog.domain.importers.ports import NO_WEB
from services.catalog.domain.renderer.compose import read_pairs

# Labels for Traefik and Caddy name the port inside the container, which is where the page is.
_PROXY_LABEL = re.compile(r"traefik\.http\.services\.[^.]+\.loadbalancer\.server\.port")
_UPSTREAMS = re.compile(r"\{\{\s*upstreams\s+([0-9]{1,5})\s*\}\}")
# A health check that requests a page of its own container names the port of that page.
_OWN_ADDRESS = re.compile(
    r"(https?)://(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1?\])(?::([0-9]{1,5}))?(?![\w.])"
)


def find_page_hint(draft: Draft, service: Mapping[str, Any]) -> int:
    """Return the port of a service's page that its definition names, or 0."""
    labels = {
        str(key): resolve_text(value, draft) for key, value in read_pairs(service.get("labels")).items()
    }
    found = [take_port(value) for key, value in labels.items() if _PROXY_LABEL.fullmatch(key)]
    found += [take_port(match[1]) for value in labels.values() for match in _UPSTREAMS.finditer(value)]
    found.append(
        take_port(resolve_text(read_pairs(service.get("environment")).get("VIRTUAL_PORT", ""), draft))
    )
    found += [port for entry in take_list(service.get("expose")) if (port := _read_exposed(draft, entry))]
    test = " ".join(map(str, take_list(take_mapping(service.get("healthcheck")).get("test"))))
    if match := _OWN_ADDRESS.search(test):
        found.append(take_port(match[2]) or (443 if match[1] == "https" else 80))
    return next((port for port in found if port and port not in NO_WEB), 0)


def _read_exposed(draft: Draft, entry: object) -> int:
    port, _, protocol = resolve_text(entry, draft).partition("/")
    return take_port(port.partition("-")[0]) if protocol.lower() in {"", "tcp"} else 0
