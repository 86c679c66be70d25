"""Permissions of items to use the host: those of the settings, and those of registered sources."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from services.catalog.domain.entities import OWN_SOURCE, Item
from services.catalog.domain.interfaces import SourceStore


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPermissions:
    """Permissions that administrators gave.

    Attributes:
        sources: registered sources, each of which may allow all of its items what they need.
        host_needs: ids of items, or `<source>.*` for all of a source, from the settings.
    """

    sources: SourceStore
    host_needs: Collection[str] = ()

    async def list_permitted(self, item: Item) -> Collection[str]:
        """Return ids of items that may use the host, and `<source>.*`, as far as they concern an item."""
        if item.source != OWN_SOURCE and await self.sources.allows_host_needs(item.source):
            return {*self.host_needs, f"{item.source}.*"}
        return self.host_needs
