"""Rows tell when they were changed, whichever statement changed them."""

from __future__ import annotations

import importlib

import pytest
import sqlalchemy as sa

from services.registry import SERVICES


def list_stamped() -> list[sa.Table]:
    metadatas = [importlib.import_module(f"services.{name}.store.tables").metadata for name in SERVICES]
    tables = [table for metadata in metadatas for table in metadata.sorted_tables]
    return [table for table in tables if "updated_at" in table.c]


@pytest.mark.parametrize("table", list_stamped(), ids=str)
def test_every_update_of_a_row_sets_its_stamp(table: sa.Table) -> None:
    other = next(column for column in table.c if column.name != "updated_at")
    assert "updated_at=:updated_at" in str(table.update().values({other: None}).compile())
