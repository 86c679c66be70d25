"""Errors of the platform as the command line explains them."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from proximity_cli.failures import explain_error, find_reason


class Refusal(grpc.RpcError, grpc.Call):
    """An error with the details that a service gives."""

    def __init__(self, code: grpc.StatusCode, info: error_details_pb2.ErrorInfo) -> None:
        packed = any_pb2.Any()
        packed.Pack(info)
        self._code = code
        self._status = status_pb2.Status(code=code.value[0], message="Internal error", details=[packed])

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return str(self._status.message)

    def trailing_metadata(self) -> Any:
        return (("grpc-status-details-bin", self._status.SerializeToString()),)


@pytest.mark.parametrize(
    ("metadata", "hint"), [({"trace_id": "0a1b2c"}, "In the logs of the platform: trace id 0a1b2c"), ({}, "")]
)
def test_an_internal_error_names_its_trace(metadata: dict[str, str], hint: str) -> None:
    info = error_details_pb2.ErrorInfo(reason="INTERNAL", domain="proximity", metadata=metadata)
    refusal = Refusal(grpc.StatusCode.INTERNAL, info)
    explained = explain_error(refusal)
    assert (str(explained), explained.hint, explained.status) == ("Internal error", hint, 1)
    assert find_reason(refusal) == "INTERNAL"
