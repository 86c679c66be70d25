"""Lookup of the handler of a call together with its metadata: grpc makes a tuple of every header, once is enough."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import grpc

from services.common.rpc.responses.rendered import Form, choose_form

Bind = Callable[[Mapping[str, str]], "grpc.RpcMethodHandler[Any, Any]"]


class ServiceHandlers(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # generic for its stubs alone
    """The handlers of a service by path, each made for its call's metadata.

    Args:
        rpcs: of every RPC.
        arrays: of the streams that REST shows as arrays, for calls that ask for JSON.
    """

    def __init__(self, rpcs: Mapping[str, Bind], arrays: Mapping[str, Bind]) -> None:
        self._rpcs = rpcs
        self._arrays = arrays

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        """The handler of a call, or None."""
        bind = self._rpcs.get(details.method)
        if bind is None:
            return None
        metadata = name_metadata(details.invocation_metadata or ())
        array = self._arrays.get(details.method)
        if array is not None and choose_form(metadata) is Form.JSON:
            bind = array
        return bind(metadata)


def name_metadata(sent: Any) -> dict[str, str]:
    """Metadata by name, as grpc gives it: the last of those that are sent more than once, but every cookie."""
    metadata = {each[0]: each[1] for each in sent}  # a third of dict(sent), which makes a list of each
    if "cookie" in metadata:  # HTTP/2 may send cookies one by one
        metadata["cookie"] = "; ".join(each[1] for each in sent if each[0] == "cookie")
    return metadata


def snake_case(name: str) -> str:
    """DeployApp -> deploy_app."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
