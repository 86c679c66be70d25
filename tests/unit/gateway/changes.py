"""Changes of the protos that the check of the gateway must notice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.api import annotations_pb2
from google.protobuf import descriptor_pb2
from proximity.common.v1 import access_pb2

from gateway.surface import load_surface


def change(method: str, edit: Callable[[Any], None]) -> descriptor_pb2.FileDescriptorSet:
    """Return the committed image with one method changed."""
    image = descriptor_pb2.FileDescriptorSet()
    image.CopyFrom(load_surface().image)
    [found] = [
        each
        for file in image.file
        for service in file.service
        for each in service.method
        if f"{service.name}.{each.name}" == method
    ]
    edit(found)
    return image


def http(method: Any) -> Any:
    return method.options.Extensions[annotations_pb2.http]


def rpc(method: Any) -> Any:
    return method.options.Extensions[access_pb2.rpc]


def set_http(**values: str) -> Callable[[Any], None]:
    def edit(method: Any) -> None:
        for name, value in values.items():
            setattr(http(method), name, value)

    return edit


def set_rpc(**values: int) -> Callable[[Any], None]:
    def edit(method: Any) -> None:
        for name, value in values.items():
            setattr(rpc(method), name, value)

    return edit
