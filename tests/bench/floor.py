"""The floor: RPCs that return a constant, declared here so that nothing of them ships.

`FloorService` of apps, backups and catalog answers from the same process and through the same interceptors as the
service's own RPCs; that of `bare` answers from a grpc.aio server with nothing around it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

from google.api import annotations_pb2
from google.protobuf import descriptor_pb2, descriptor_pool, empty_pb2, message_factory
from google.protobuf.descriptor import ServiceDescriptor
from proximity.common.v1 import access_pb2

from gateway.surface import Surface, load_surface, parse_surface

OWNERS = ("apps", "backups", "catalog", "bare")
BARE = "bare"


def path_of(owner: str) -> str:
    """The REST path of an owner's floor."""
    return f"/api/floor/{owner}"


@cache
def describe_floor(owner: str) -> ServiceDescriptor:
    """The service that returns a constant, in the owner's package."""
    file = _make_file(owner)
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
    service: ServiceDescriptor = descriptor_pool.Default().FindServiceByName(f"{file.package}.FloorService")
    return service


def extend_surface() -> Surface:
    """The API's surface with every floor."""
    image = descriptor_pb2.FileDescriptorSet()
    image.CopyFrom(load_surface().image)
    image.file.extend(_make_file(owner) for owner in OWNERS)
    return parse_surface(image)


def make_answer(owner: str) -> Any:
    """The constant."""
    method = describe_floor(owner).methods_by_name["GetFloor"]
    return message_factory.GetMessageClass(method.output_type)(status="running", message="as it was")


@dataclass(frozen=True)
class FloorHandlers:
    """FloorService of one owner."""

    owner: str
    _answer: list[Any] = field(default_factory=list)

    async def get_floor(self, _: empty_pb2.Empty) -> Any:
        """Return the constant."""
        if not self._answer:
            self._answer.append(make_answer(self.owner))
        return self._answer[0]


def _make_file(owner: str) -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name=f"bench/{owner}_floor.proto", package=f"proximity.{owner}.v1", syntax="proto3"
    )
    file.dependency.extend(
        [
            "google/api/annotations.proto",
            "google/protobuf/empty.proto",
            "proximity/common/v1/access.proto",
        ]
    )
    message = file.message_type.add(name="Floor")
    for number, name in enumerate(("status", "message"), 1):
        kind, label = descriptor_pb2.FieldDescriptorProto.TYPE_STRING, 1
        message.field.add(name=name, number=number, type=kind, label=label)
    method = file.service.add(name="FloorService").method.add(
        name="GetFloor", input_type=".google.protobuf.Empty", output_type=f".proximity.{owner}.v1.Floor"
    )
    method.options.Extensions[access_pb2.rpc].access = access_pb2.ACCESS_USER
    method.options.Extensions[annotations_pb2.http].get = path_of(owner)
    method.options.idempotency_level = descriptor_pb2.MethodOptions.NO_SIDE_EFFECTS
    return file
