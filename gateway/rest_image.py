"""The descriptor image as the transcoder gets it: bodies that services read or print themselves are raw there."""

from __future__ import annotations

from google.api import annotations_pb2
from google.protobuf import descriptor_pb2

from gateway.surface import HTTP_BODY, JSON_SUFFIX, Method, Surface

_JSON_BODY = "json_body"
# Of the same field in `proximity.common.v1.JsonRequest`.
JSON_BODY_NUMBER = 1000


def describe_rest(surface: Surface) -> bytes:
    """Return the image for the transcoder.

    - An RPC whose service prints JSON itself answers with a raw body.
    - An RPC with a REST body has another name and takes the body raw beside the fields of its path. The name keeps the
      body from a service of the release before, which would take the request for an empty one.
    """
    image = descriptor_pb2.FileDescriptorSet.FromString(strip_image(surface.image))
    known = {method.path: method for method in surface.routed}
    for file in image.file:
        for service in file.service:
            for described in service.method:
                method = known.get(f"/{file.package}.{service.name}/{described.name}")
                if method is not None and method.is_printed:
                    described.output_type, described.server_streaming = f".{HTTP_BODY}", False
                    _import(file, "google/api/httpbody.proto")
                if method is not None and method.takes_json:
                    _take_json(surface, file, described, method)
    return image.SerializeToString(deterministic=True)


def _take_json(
    surface: Surface,
    file: descriptor_pb2.FileDescriptorProto,
    described: descriptor_pb2.MethodDescriptorProto,
    method: Method,
) -> None:
    request = file.message_type.add(name=f"{method.name}{JSON_SUFFIX}Request")
    for variable in sorted({name for binding in method.bindings for name in binding.variables}):
        field = surface.find_field(method.input, variable)
        if field is None:
            raise ValueError(f"{method.path}: {{{variable}}} is not a field of {method.input}")
        request.field.add(name=field.name, number=field.number, type=field.type, label=_SINGLE)
    request.field.add(
        name=_JSON_BODY, number=JSON_BODY_NUMBER, type=_MESSAGE, label=_SINGLE, type_name=f".{HTTP_BODY}"
    )
    _import(file, "google/api/httpbody.proto")
    described.name = f"{method.name}{JSON_SUFFIX}"
    described.input_type = f".{file.package}.{request.name}"
    rule = described.options.Extensions[annotations_pb2.http]
    for each in (rule, *rule.additional_bindings):
        each.body = _JSON_BODY


_SINGLE = descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL
_MESSAGE = descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE


def _import(file: descriptor_pb2.FileDescriptorProto, name: str) -> None:
    if name not in file.dependency:
        file.dependency.append(name)


def strip_image(image: descriptor_pb2.FileDescriptorSet) -> bytes:
    """Return the image without its comments, which are most of it."""
    bare = descriptor_pb2.FileDescriptorSet()
    bare.CopyFrom(image)
    for file in bare.file:
        file.ClearField("source_code_info")
    return bare.SerializeToString(deterministic=True)
