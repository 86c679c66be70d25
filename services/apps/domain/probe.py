"""Probe of an app: which port to ask, how, and for how long."""

from __future__ import annotations

from dataclasses import dataclass

from services.apps.domain.entities import App
from services.clients.catalog.values import ItemProbe

GRACE_S = 120  # for an app whose definition names no time of its own: images unpack, databases recover
_UNKNOWN = ItemProbe()


@dataclass(frozen=True)
class ProbeTarget:
    """Port of an app to probe, with scheme and path, and for how many seconds."""

    scheme: str
    port: int
    path: str
    grace_s: int


def find_target(app: App) -> ProbeTarget:
    """Return the probe of an app; port 0 where there is nothing to probe."""
    probe = app.rendering.probe or _UNKNOWN
    return ProbeTarget(
        scheme=probe.scheme or "tcp",
        port=probe.port if probe.port and probe.port != app.internal_port else app.port or 0,
        path=probe.path or "/",
        grace_s=probe.grace_s or GRACE_S,
    )
