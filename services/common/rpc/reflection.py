"""Server reflection (v1 and v1alpha) on the public API of the whole platform.

Every server answers for all services, because the gateway routes reflection to one of them. RPCs and services that only
other services may call are left out: the gateway refuses them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import cached_property
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2
from proximity.common.v1 import access_pb2

from protos import IMAGE

_V1ALPHA, _V1 = "grpc.reflection.v1alpha", "grpc.reflection.v1"
_HIDDEN = (access_pb2.ACCESS_INTERNAL, access_pb2.ACCESS_UNSPECIFIED)


def add_reflection(server: grpc.aio.Server) -> None:
    """Add both versions of the reflection service; their messages are the same on the wire."""
    reflect = grpc.stream_stream_rpc_method_handler(
        _PublicApi().answer,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    # grpcio-reflection registers v1alpha alone, and stock clients ask for v1 first.
    for package in (_V1ALPHA, _V1):
        handlers = {"ServerReflectionInfo": reflect}
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(f"{package}.ServerReflection", handlers),)
        )


def is_public(service: ServiceDescriptor) -> bool:
    """Tell whether a service has an RPC that clients may call."""
    return any(_is_open(method.GetOptions()) for method in service.methods)


def _is_open(options: descriptor_pb2.MethodOptions) -> bool:
    return options.Extensions[access_pb2.rpc].access not in _HIDDEN


class _Reflection(reflection.aio.ReflectionServicer):  # type: ignore[name-defined,misc]  # it has no types
    def _file_containing_symbol(
        self, request: reflection_pb2.ServerReflectionRequest, fully_qualified_name: str
    ) -> reflection_pb2.ServerReflectionResponse:
        """Find RPCs and fields too, which the pool does not: their parent is in the same file."""
        parent = fully_qualified_name.rpartition(".")[0]
        answer = super()._file_containing_symbol(request, fully_qualified_name)
        # Ends at a name without a dot, so the depth is that of the name.
        if not answer.HasField("error_response") or not parent:
            return answer
        return self._file_containing_symbol(request, parent)


class _PublicApi:
    """The descriptors are read at the first call: most processes never get one."""

    @cached_property
    def _servicer(self) -> _Reflection:
        files = [*_read_public_files(IMAGE), *_describe_infrastructure()]
        pool = descriptor_pool.DescriptorPool()
        for file in files:
            pool.Add(file)
        names = [f"{file.package}.{service.name}" for file in files for service in file.service]
        return _Reflection(names, pool=pool)

    async def answer(
        self,
        requests: AsyncIterator[reflection_pb2.ServerReflectionRequest],
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> AsyncIterator[reflection_pb2.ServerReflectionResponse]:
        """Answer the requests of one stream."""
        async for response in self._servicer.ServerReflectionInfo(requests, context):
            yield response


def _read_public_files(image: Path) -> list[descriptor_pb2.FileDescriptorProto]:
    files = list(descriptor_pb2.FileDescriptorSet.FromString(image.read_bytes()).file)
    for file in files:
        for service in file.service:
            public = [
                method
                for method in service.method
                if not file.package.startswith("proximity.") or _is_open(method.options)
            ]
            del service.method[:]
            service.method.extend(public)
        services = [service for service in file.service if service.method]
        del file.service[:]
        file.service.extend(services)
    return files


def _describe_infrastructure() -> list[descriptor_pb2.FileDescriptorProto]:
    """Describe health and reflection themselves; v1 of reflection is v1alpha under another package name."""
    health, alpha, stable = (descriptor_pb2.FileDescriptorProto() for _ in range(3))
    health_pb2.DESCRIPTOR.CopyToProto(health)
    reflection_pb2.DESCRIPTOR.CopyToProto(alpha)
    reflection_pb2.DESCRIPTOR.CopyToProto(stable)
    stable.name, stable.package = stable.name.replace("v1alpha", "v1"), _V1
    fields = [field for message in stable.message_type for field in message.field if field.type_name]
    methods = [method for service in stable.service for method in service.method]
    for field in fields:
        field.type_name = field.type_name.replace(f".{_V1ALPHA}.", f".{_V1}.")
    for method in methods:
        method.input_type = method.input_type.replace(f".{_V1ALPHA}.", f".{_V1}.")
        method.output_type = method.output_type.replace(f".{_V1ALPHA}.", f".{_V1}.")
    return [health, alpha, stable]
