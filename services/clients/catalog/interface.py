"""The catalog, as use cases of apps need it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from services.clients.catalog.values import ItemRevision, Rendering, RevisionChanges


class Catalog(Protocol):
    """CatalogInternalService. Each method may raise UnavailableError."""

    async def render_item(
        self,
        catalog_id: str,
        environment: Mapping[str, str],
        *,
        public_port: int,
        runtime: str,
        image: str = "",
        port: int = 0,
        hostname: str = "",
        project: str = "",
        revision: str = "",
        generated: Mapping[str, str] | None = None,
        from_revision: str = "",
        secret: Mapping[str, bool] | None = None,
    ) -> Rendering:
        """Render an item.

        `from_revision` is the revision that the values are of: values of inputs that were removed since are left out.
        `secret` declares values secret or not; values that the item declares secret stay so.

        Raises:
            NotFoundError: there is no such item or revision.
            InvalidError: with a violation for each wrong input.
        """

    async def compare_revisions(
        self, catalog_id: str, *, from_revision: str, revision: str
    ) -> RevisionChanges:
        """Compare a revision with another or, with an empty `revision`, with the newest.

        Raises:
            NotFoundError: there is no such item or revision.
        """

    async def list_revisions(self) -> Mapping[str, ItemRevision]:
        """Return the newest revision of every item, by item."""
