"""The API's surface, read from the descriptor image: services, RPCs, their REST bindings and declarations.

The one place that knows where the protos keep these things; everything else in the gateway is generated from it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

from google.api import annotations_pb2, http_pb2
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from proximity.common.v1 import access_pb2

from protos import IMAGE

Access = Literal["unspecified", "public", "user", "owner", "admin", "internal"]
HTTP_BODY = "google.api.HttpBody"
# Of the RPC that takes the JSON of REST, beside the typed one (`services.common.rpc.interceptors.json_requests`).
JSON_SUFFIX = "FromJson"
_VARIABLE = re.compile(r"^\{([a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*)(=\*)?\}$")


@dataclass(frozen=True)
class Binding:
    """One way to reach an RPC through REST."""

    method: str  # GET, POST, ...
    path: str  # the template, without trailing slash
    body: str  # "*", a field name, or "" for none

    @property
    def segments(self) -> tuple[str, ...]:
        """The template's parts between slashes."""
        return tuple(self.path.strip("/").split("/"))

    @property
    def variables(self) -> tuple[str, ...]:
        """The field paths that the template binds, in order."""
        return tuple(match.group(1) for part in self.segments if (match := _VARIABLE.match(part)))

    @property
    def shape(self) -> str:
        """The template with its variables' names removed: what the transcoder tells paths apart by."""
        return "/" + "/".join("{}" if part.startswith("{") else part for part in self.segments)


@dataclass(frozen=True)
class Method:
    """One RPC."""

    service: str  # full name
    name: str
    access: Access
    success: int
    creates: bool
    errors: tuple[int, ...]
    deprecated: str  # YYYY-MM-DD; empty: it is not
    sunset: str
    printed: bool  # the service prints JSON itself for REST
    recent_sign_in: bool  # sessions need a sign-in within the last 10 minutes
    media_types: tuple[str, ...]  # of an answer that is no message
    events: str  # full name of the message whose one-of lists the server-sent events
    websocket: str  # path of the WebSocket that carries it to browsers; empty: none
    example: str  # a request body that works on a fresh platform, as JSON; empty: none declared
    alias_example: str  # the same of the further bindings; empty: as the first one
    reads: bool  # declared free of side effects
    idempotent: bool
    client_streaming: bool
    server_streaming: bool
    input: str  # full name of the message
    output: str
    bindings: tuple[Binding, ...]

    @property
    def path(self) -> str:
        """The path of the gRPC call."""
        return f"/{self.service}/{self.name}"

    @property
    def takes_json(self) -> bool:
        """Whether REST sends a body, which the service parses."""
        return any(binding.body for binding in self.bindings)

    @property
    def json_path(self) -> str:
        """The path of the gRPC call that carries a REST body unparsed."""
        return f"{self.path}{JSON_SUFFIX}"

    @property
    def owner(self) -> str:
        """The service that owns it: apps for proximity.apps.v1.AppsService."""
        return self.service.split(".")[1]

    @property
    def is_routed(self) -> bool:
        """Whether the gateway lets it through. What is internal or undeclared stays behind."""
        return self.access not in {"internal", "unspecified"}

    @property
    def is_endless(self) -> bool:
        """Whether it streams until somebody leaves; a stream that REST prints as an array is finite."""
        return self.server_streaming and (self.output == HTTP_BODY or not self.bindings)

    @property
    def is_array(self) -> bool:
        """Whether REST prints its stream as a JSON array."""
        return self.server_streaming and not self.is_endless

    @property
    def websocket_binding(self) -> Binding:
        """The WebSocket's path as a binding of GET."""
        return Binding("GET", self.websocket, "")

    @property
    def is_printed(self) -> bool:
        """Whether the service answers REST with JSON: one that is lost leaves no half of an array then."""
        return self.printed or self.is_array


@dataclass(frozen=True)
class Surface:
    """Everything the protos declare."""

    image: descriptor_pb2.FileDescriptorSet
    methods: tuple[Method, ...]

    @cached_property
    def routed(self) -> tuple[Method, ...]:
        """The RPCs that the gateway lets through, by service and name."""
        return tuple(method for method in self.methods if method.is_routed)

    @cached_property
    def websockets(self) -> tuple[Method, ...]:
        """The RPCs that browsers reach by a WebSocket."""
        return tuple(method for method in self.routed if method.websocket)

    @cached_property
    def transcoded(self) -> tuple[str, ...]:
        """Full names of the services with at least one REST path."""
        return tuple(sorted({method.service for method in self.routed if method.bindings}))

    @cached_property
    def owners(self) -> tuple[str, ...]:
        """The services of the system, as their packages name them."""
        return tuple(sorted({method.owner for method in self.routed}))

    @cached_property
    def pool(self) -> descriptor_pool.DescriptorPool:
        """The image's messages by name, with comments' positions dropped."""
        pool = descriptor_pool.DescriptorPool()
        for file in self.image.file:
            pool.Add(file)
        return pool

    def get_message(self, name: str) -> Descriptor:
        """Return the message with the full name `name`; KeyError when there is none."""
        return self.pool.FindMessageTypeByName(name)

    def find_field(self, message: str, path: str) -> FieldDescriptor | None:
        """Return the field at a dotted path from a message, or None."""
        field = None
        current: Descriptor | None = self.get_message(message)
        for part in path.split("."):
            field = current.fields_by_name.get(part) if current else None
            if field is None:
                return None
            current = field.message_type
        return field


def list_parameters(surface: Surface, method: Method, binding: Binding) -> list[FieldDescriptor]:
    """Return the fields that a request of a binding carries in its query: none where it has a body."""
    if binding.body:
        return []
    if method.websocket:
        return [
            field
            for field in surface.get_message(method.input).fields
            if field.name not in binding.variables and field.type != FieldDescriptor.TYPE_BYTES
        ]
    fields = surface.get_message(method.input).fields
    return [field for field in fields if field.name not in binding.variables and _is_queryable(field)]


def _is_queryable(field: FieldDescriptor) -> bool:
    return field.message_type is None or field.message_type.full_name == "google.protobuf.Timestamp"


def parse_surface(image: descriptor_pb2.FileDescriptorSet) -> Surface:
    """Read the surface of a descriptor image."""
    methods = [
        _parse_method(f"{file.package}.{service.name}", method)
        for file in image.file
        for service in file.service
        for method in service.method
    ]
    return Surface(image, tuple(sorted(methods, key=lambda method: (method.service, method.name))))


@lru_cache(maxsize=1)
def load_surface() -> Surface:
    """Read the surface of the committed image."""
    return parse_surface(descriptor_pb2.FileDescriptorSet.FromString(IMAGE.read_bytes()))


def _parse_method(service: str, method: descriptor_pb2.MethodDescriptorProto) -> Method:
    rpc = method.options.Extensions[access_pb2.rpc]
    level = method.options.idempotency_level
    reads = level == descriptor_pb2.MethodOptions.NO_SIDE_EFFECTS
    return Method(
        service=service,
        name=method.name,
        access=access_pb2.Access.Name(rpc.access).removeprefix("ACCESS_").lower(),  # type: ignore[arg-type]
        success=rpc.success or 200,
        creates=rpc.creates,
        errors=tuple(rpc.errors),
        deprecated=rpc.deprecated,
        sunset=rpc.sunset,
        printed=rpc.printed,
        recent_sign_in=rpc.recent_sign_in,
        media_types=tuple(rpc.media_types),
        events=rpc.events,
        websocket=rpc.websocket,
        example=rpc.example,
        alias_example=rpc.alias_example,
        reads=reads,
        idempotent=reads or level == descriptor_pb2.MethodOptions.IDEMPOTENT,
        client_streaming=method.client_streaming,
        server_streaming=method.server_streaming,
        input=method.input_type.lstrip("."),
        output=method.output_type.lstrip("."),
        bindings=tuple(_list_bindings(method.options.Extensions[annotations_pb2.http])),
    )


def _list_bindings(rule: http_pb2.HttpRule) -> list[Binding]:
    bindings = []
    for each in (rule, *rule.additional_bindings):
        kind = each.WhichOneof("pattern")
        if kind == "custom":
            bindings.append(Binding(each.custom.kind, each.custom.path, each.body))
        elif kind is not None:
            bindings.append(Binding(kind.upper(), getattr(each, kind), each.body))
    return bindings
