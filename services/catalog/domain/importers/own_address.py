"""Public address that an app is configured with: the platform's, not that of the system the collection is made for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from services.catalog.domain.importers.draft import Draft
from services.catalog.domain.renderer.interpolation import map_texts

_HOST = "${PROXIMITY_HOSTNAME}"
_PORT = "${PROXIMITY_PUBLIC_PORT}"
# Names of variables with the port that browsers use, as opposed to the one inside the container.
_PUBLIC_PORT = re.compile(
    r"(?:.*_)?(?:PUBLIC|EXTERNAL|VISIBLE|ADVERTISED|PUBLISHED|FRONTEND|PROXY|URL|WEBUI_EXTERNAL|HOST)_?PORT",
    re.IGNORECASE,
)
# Names of variables with the address that browsers use, which apps put into links and cookies.
_PUBLIC_ADDRESS = re.compile(
    r"(?:.*_)?(?:APP|BASE|SITE|PUBLIC|EXTERNAL|ROOT|FRONTEND|NEXTAUTH|AUTH|WEB|SERVER|DOMAIN|ORIGIN|CANONICAL)_?"
    r"(?:URL|URI|ORIGINS?|DOMAIN|ADDRESS|HOST|ROOT)?S?",
    re.IGNORECASE,
)


def replace_own_address(draft: Draft, definition: dict[str, Any]) -> dict[str, Any]:
    """Return a definition whose texts name the platform's port where they name the one the collection opens the app on.

    Only behind the app's own host name: the same number behind another service's name is that service's port.
    """
    port = draft.published_port
    if not port:
        return definition
    behind_host = re.compile(
        rf"(?:{re.escape(_HOST)}|(?<![\w.-])umbrel\.local|(?<![\w.-])casaos\.local):{port}(?![0-9])"
    )
    local = re.compile(rf"(?<=://)(?:localhost|127\.0\.0\.1):{port}(?![0-9])")

    def write(text: str) -> str:
        return behind_host.sub(f"{_HOST}:{_PORT}", text) if str(port) in text else text

    def write_pair(name: str, value: Any) -> Any:
        if not isinstance(value, str | int) or isinstance(value, bool) or str(port) not in str(value):
            return value
        if str(value) == str(port):
            return _PORT if _PUBLIC_PORT.fullmatch(name) else value
        return local.sub(f"{_HOST}:{_PORT}", str(value)) if _PUBLIC_ADDRESS.fullmatch(name) else value

    written: dict[str, Any] = map_texts(definition, write)
    for service in written["services"].values():
        environment = service.get("environment")
        if isinstance(environment, Mapping):
            service["environment"] = {name: write_pair(name, value) for name, value in environment.items()}
    return written
