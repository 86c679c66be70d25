"""Probe of an app: which port to ask, how, and for how long."""

from __future__ import annotations

from dataclasses import dataclass

from services.apps.domain.entities import App

GRACE_S = 120  # for an app whose definition names no time of its own: images unpack, databases recover


@dataclass(frozen=True)
class ProbeTarget:
    """Port of an app to probe, with scheme and path, and for how many seconds."""

    scheme: str
    port: int
    path: str
    grace_s: int


def find_target(app: App) -> ProbeTarget:
    """Return the probe of an app; port 0 where there is nothing to probe."""
    probe = app.rendering.get("probe") or {}
    declared = int(probe.get("port") or 0)
    return ProbeTarget(
        scheme=str(probe.get("scheme") or "tcp"),
        port=declared if declared and declared != app.internal_port else int(app.port or 0),
        path=str(probe.get("path") or "/"),
        grace_s=int(probe.get("grace_s") or GRACE_S),
    )
