"""catalog list, catalog search, catalog show."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer
from proximity.catalog.v1 import catalog_service_pb2 as pb
from proximity.catalog.v1 import item_pb2

from proximity_cli.completion import complete_items
from proximity_cli.connection import connect
from proximity_cli.filters import with_filters
from proximity_cli.output import present, print_facts, print_table

Item = Annotated[str, typer.Argument(metavar="ITEM", autocompletion=complete_items)]


@with_filters("catalog.CatalogService.ListItems")
def list_items(*, request: pb.ListItemsRequest) -> None:
    """List the whole catalog."""
    platform = connect()
    _print_items(platform.read(platform.catalog.ListItems, request).applications)


@with_filters("catalog.CatalogService.SearchItems")
def search(q: Annotated[str, typer.Argument(metavar="QUERY")], *, request: pb.SearchItemsRequest) -> None:
    """Search the catalog, best match first."""
    del q  # in the request
    platform = connect()
    answer = platform.read(platform.catalog.SearchItems, request)
    _print_items(answer.applications)


def show(catalog_id: Item) -> None:
    """Show one item and the values it asks for."""
    platform = connect()
    item = platform.read(platform.catalog.GetItem, pb.GetItemRequest(app_id=catalog_id))
    names = (
        "id",
        "name",
        "version",
        "category",
        "description",
        "website",
        "min_memory",
        "min_cpu",
        "default_credentials",
    )
    rows = [(each.name, "yes" if each.required else "", each.help or each.label) for each in item.inputs]

    def print_item() -> None:
        print_facts([(name, getattr(item, name)) for name in names])
        print_table(("INPUT", "REQUIRED", "DESCRIPTION"), rows, empty="It asks for nothing.")

    present(item, print_item)


def _print_items(items: Iterable[item_pb2.Item]) -> None:
    found = list(items)
    rows = [(each.id, each.name, each.version, each.category, each.description) for each in found]
    columns = ("ID", "NAME", "VERSION", "CATEGORY", "DESCRIPTION")
    present(found, lambda: print_table(columns, rows, empty="Nothing fits."))
