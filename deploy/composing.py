"""The part of compose.yaml that hands settings from Compose's environment and `.env` to the containers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from services.registry import SERVICES

COMPOSE = Path(__file__).parent / "compose.yaml"
_BEGIN = (
    "# Made by `make configuration` from the settings of the services; `.env` beside this file sets them.\n"
)
_END = "# End of the settings.\n"
# What compose.yaml sets itself: addresses inside of its networks, and secrets that are mounted as files.
FIXED = frozenset(
    {
        *("LISTEN", "HEALTH_LISTEN", "WEBSOCKET_LISTEN", "SERVICE_KEYS_DIR", "TLS_DIR"),
        *("SECRET_KEY", "DATABASE_URL", "NATS_URL", "PROXIMITY_ADMIN_USERNAME", "PROXIMITY_ADMIN_PASSWORD"),
        *(f"{service.upper()}_ADDRESS" for service in SERVICES),
    }
)
GATEWAY = "gateway"
# Where a container differs from `make run` unless the operator says otherwise: it serves metrics, in its own network.
DEFAULTS = {"METRICS_LISTEN": "0.0.0.0:9100"}


def render_compose(text: str, readers: Mapping[str, Sequence[str]]) -> str:
    """Return compose.yaml with its settings made anew.

    Args:
        text: the file as it is.
        readers: the services, and the gateway, that read each variable, by its name.
    """
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    if not after:
        raise ValueError(f"{COMPOSE.name} has no lines {_BEGIN.strip()!r} and {_END.strip()!r}")
    passed = {name: set(readers[name]) & set(SERVICES) for name in sorted(readers) if name not in FIXED}
    common = [name for name, services in passed.items() if services == set(SERVICES)]
    blocks = [_render_block("settings", common)]
    for service in SERVICES:
        own = [name for name, services in passed.items() if service in services and name not in common]
        blocks.append(_render_block(f"settings-{service}", own))
    blocks.append(
        _render_block(f"settings-{GATEWAY}", [name for name in sorted(readers) if GATEWAY in readers[name]])
    )
    return before + _BEGIN + "".join(blocks) + _END + after


def _render_block(name: str, variables: Sequence[str]) -> str:
    lines = [f"  {each}: ${{{each}:-{DEFAULTS.get(each, '')}}}\n" for each in variables]
    return f"x-{name}: &{name}\n{''.join(lines)}"
