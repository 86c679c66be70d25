"""A compose app with two services and secret values, and what they write."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from services.apps.domain.changes import ChangeApp
from tests.fakes.apps_service import Service
from tests.fakes.unmanaged_apps import deploy_running

COMPOSE = "services: {web: {image: a}, db: {image: b, container_name: store}}"
SECRET = "correct-horse-battery"


async def prepare(service: Service, **values: Any) -> str:
    """A running compose app with two services and a secret value."""
    app = await deploy_running(service)
    fields = {
        "rendering": replace(app.rendering, compose=COMPOSE),
        "environment": {**app.environment, "KEY": SECRET, "PEM": "first-line-of-key\nsecond-line-of-key"},
        "secret_names": [*app.secret_names, "KEY", "PEM"],
    }
    await service.platform.store.change(ChangeApp(app.id, fields | values))
    return app.id


def say(service: Service, *lines: str, status: int = 0) -> None:
    service.platform.containers.output = "".join(f"{line}\n" for line in (*lines, f"proximity-exit {status}"))


def line(second: int, text: str) -> str:
    """A line of the service web, as Docker Compose prints it."""
    return f"web-1  | 2026-11-30T12:00:{second:02}.000000005Z {text}"
