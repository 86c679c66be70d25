"""catalog list, catalog search, catalog show."""

from __future__ import annotations

from collections.abc import Iterable

import typer
from proximity.catalog.v1 import catalog_service_pb2 as pb
from proximity.catalog.v1 import item_pb2

from proximity_cli.connection import connect
from proximity_cli.output import Json, print_facts, print_json, print_table

app = typer.Typer(help="What can be deployed.", no_args_is_help=True)


@app.command("list")
def list_items(as_json: Json = False) -> None:
    """List the whole catalog."""
    platform = connect()
    _print_items(
        platform.read(platform.catalog.ListItems, pb.ListItemsRequest()).applications, as_json=as_json
    )


@app.command()
def search(query: str, as_json: Json = False) -> None:
    """Search the catalog, best match first."""
    platform = connect()
    answer = platform.read(platform.catalog.SearchItems, pb.SearchItemsRequest(q=query))
    _print_items(answer.applications, as_json=as_json)


@app.command()
def show(catalog_id: str, as_json: Json = False) -> None:
    """Show one item and the values it asks for."""
    platform = connect()
    item = platform.read(platform.catalog.GetItem, pb.GetItemRequest(app_id=catalog_id))
    if as_json:
        return print_json(item)
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
    print_facts([(name, getattr(item, name)) for name in names])
    rows = [(each.name, "yes" if each.required else "", each.help or each.label) for each in item.inputs]
    print_table(("INPUT", "REQUIRED", "DESCRIPTION"), rows, empty="It asks for nothing.")
    return None


def _print_items(items: Iterable[item_pb2.Item], *, as_json: bool) -> None:
    found = list(items)
    if as_json:
        return print_json(found)
    rows = [(each.id, each.name, each.version, each.category, each.description) for each in found]
    print_table(("ID", "NAME", "VERSION", "CATEGORY", "DESCRIPTION"), rows, empty="Nothing fits.")
    return None
