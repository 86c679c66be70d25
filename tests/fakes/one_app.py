"""One app and the log of its operation, for tests of single steps."""

from __future__ import annotations

from services.apps.domain.entities import App
from services.apps.domain.rendering import AppRendering
from services.common.core.clock import now

APP = "adminer-00000001"
COMPOSE = 'services:\n  web:\n    image: nginx:1.27\n    environment: {GREETING: "${GREETING}"}\n    ports: ["8100:80"]\n'


class OneApp:
    async def get_app(self, app_id: str) -> App:
        return App(
            id=app_id,
            catalog_id="adminer",
            name="a",
            hostname="web-01",
            status="deploying",
            host_id=1,
            node="pve1",
            vmid=105,
            owner_id=1,
            runtime="compose",
            rendering=AppRendering(compose=COMPOSE),
            environment={"GREETING": "it's $HOME"},
            secret_names=("GREETING",),
            created_at=now(),
            updated_at=now(),
            state_changed_at=now(),
        )


class Notes:
    def __init__(self) -> None:
        self.lines: list[str] = []

    async def log(self, message: str, *, level: str = "info") -> None:
        self.lines.append(message)
