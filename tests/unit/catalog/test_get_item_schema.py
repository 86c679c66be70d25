"""GetItemSchema: the JSON Schema of an item file, which clients may cache for a day."""

from __future__ import annotations

import json

import jsonschema_rs
import yaml
from google.protobuf import empty_pb2

from services.catalog.config import DATA
from services.catalog.sources.own_files import OwnFiles
from services.catalog.usecases.items import get_item_schema
from tests.fakes.catalog_replica import CatalogReplica, make_call
from tests.unit.catalog.samples import ITEM


async def test_the_schema_is_json_and_may_be_cached_for_a_day(own: CatalogReplica) -> None:
    call = make_call()
    schema = await own.api.get_item_schema(empty_pb2.Empty(), call)
    assert schema.content_type == "application/schema+json"
    assert json.loads(schema.data)["title"] == "Proximity catalog item"
    headers = dict(call.headers)
    assert headers["cache-control"] == "public, max-age=86400"
    again = make_call(if_none_match=headers["etag"])
    assert (await own.api.get_item_schema(empty_pb2.Empty(), again)).data == b""
    assert again.http_status == 304


def test_the_schema_accepts_an_item_and_refuses_one_without_name() -> None:
    validator = jsonschema_rs.validator_for(json.loads(get_item_schema(OwnFiles(DATA))))
    item = yaml.safe_load(ITEM)
    assert list(validator.iter_errors(item)) == []
    del item["name"]
    assert [error.message for error in validator.iter_errors(item)] == ['"name" is a required property']
