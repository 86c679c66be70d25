"""Containers with an inside: their commands run in simulated guests, and what Docker does there is modelled."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Sequence
from typing import Any

from services.clients.catalog.values import ItemProbe, Rendering
from services.inventory.domain.containers import View
from tests.fakes.catalog import FakeCatalog
from tests.fakes.instant_proxmox import InstantContainerAccess
from tests.pvesim.guest import Guest, World
from tests.pvesim.inside import Inside, Insides
from tests.pvesim.instant import InstantProxmox

# Two services, a volume of each kind, and a job that ends.
_COMPOSE = """
name: {project}
services:
  web:
    image: nginx:1.27
    ports: ["{port}:80"]
    volumes: ["pages:/usr/share/nginx/html"]
    restart: unless-stopped
  db:
    image: postgres:16
    environment: {{POSTGRES_PASSWORD: "x"}}
    volumes: ["data:/var/lib/postgresql/data"]
    restart: unless-stopped
volumes: {{pages: , data: }}
"""


class GuestAccess(InstantContainerAccess):
    """Access whose commands run in the guests of the cluster in memory."""

    def _find_guest(self, view: View) -> tuple[Guest, World]:
        inside = self._proxmox.cluster.containers[view.vmid].guest
        assert isinstance(inside, Inside)
        guests = self._proxmox.cluster.guests
        assert isinstance(guests, Insides)
        return inside.guest, guests.world

    async def stream(
        self, view: View, argv: Sequence[str], *, stdin: bytes = b"", stall_s: float, timeout_s: float
    ) -> AsyncIterator[str | int]:
        """See `InstantContainerAccess.stream`."""
        guest, world = self._find_guest(view)
        done = await guest.run(argv, stdin=stdin, world=world)
        yield (done.stdout + done.stderr).decode()
        yield done.exit_code

    async def push(self, view: View, *, path: str, content: bytes, mode: int) -> None:
        """See `InstantContainerAccess.push`."""
        guest, _ = self._find_guest(view)
        guest.fs.make_dir(path.rpartition("/")[0], parents=True)
        guest.fs.write(path, content)


class ShopCatalog(FakeCatalog):
    """A catalog whose item has a database and volumes."""

    async def render_item(self, catalog_id: str, *args: Any, **options: Any) -> Rendering:
        """See `FakeCatalog.render_item`."""
        rendering = await super().render_item(catalog_id, *args, **options)
        compose = _COMPOSE.format(project=options.get("project") or "shop", port=options["public_port"])
        return dataclasses.replace(
            rendering,
            docker_compose=compose,
            internal_port=80,
            probe=ItemProbe(scheme="http", port=80, path="/", grace_s=1),
        )


def make_insides() -> InstantProxmox:
    """A cluster in memory whose containers have an inside; nothing in them takes time."""
    proxmox = InstantProxmox("demo", guests=Insides(World()))
    proxmox.run_tasks()
    proxmox.hold_tasks = True
    return proxmox
