"""Requests that are no messages."""

from __future__ import annotations

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from services.common.rpc.interceptors.validation import UndecodableRequest, read_request


def test_a_message_is_read() -> None:
    data = pb.DeployAppRequest(hostname="web-01", environment={"A": "b"}).SerializeToString()
    assert read_request(pb.DeployAppRequest, data) == pb.DeployAppRequest(
        hostname="web-01", environment={"A": "b"}
    )


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (pb.DeployAppRequest(hostname="web").SerializeToString() + b"\x2a\x02\x0a\x09", "environment"),
        (b"\x2a\x01\xff", "environment"),
        (b"\x22\x02\xff\xff", "config"),
        (b"\x0a\x09abc", ""),
        (b"\xff\xff\xff", ""),
    ],
)
def test_what_cannot_be_read_names_its_field(data: bytes, field: str) -> None:
    found = read_request(pb.DeployAppRequest, data)
    assert isinstance(found, UndecodableRequest)
    assert found == UndecodableRequest(field)
    assert [violation.field for violation in found.as_error().violations] == ([field] if field else [])
