"""The comments of the protos: they are the API's documentation, written once."""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf import descriptor_pb2


def collect_comments(image: descriptor_pb2.FileDescriptorSet) -> dict[str, str]:
    """Return the leading comments of services, methods, messages and fields by full name, each as one paragraph."""
    comments = {}
    for file in image.file:
        positions = {tuple(place.path): place.leading_comments for place in file.source_code_info.location}
        for path, name in _walk(file):
            text = " ".join(positions.get(path, "").split())
            if text:
                comments[name] = text
    return comments


def _walk(file: descriptor_pb2.FileDescriptorProto) -> Iterator[tuple[tuple[int, ...], str]]:
    """Yield the path in the source positions, and the full name, of each thing that can be documented."""
    for index, service in enumerate(file.service):
        name = f"{file.package}.{service.name}"
        yield (6, index), name
        for number, method in enumerate(service.method):
            yield (6, index, 2, number), f"{name}.{method.name}"
    for index, message in enumerate(file.message_type):
        yield from _walk_message(message, (4, index), file.package)


def _walk_message(
    message: descriptor_pb2.DescriptorProto, path: tuple[int, ...], scope: str
) -> Iterator[tuple[tuple[int, ...], str]]:
    name = f"{scope}.{message.name}"
    yield path, name
    for index, field in enumerate(message.field):
        yield (*path, 2, index), f"{name}.{field.name}"
    for index, nested in enumerate(message.nested_type):
        yield from _walk_message(nested, (*path, 3, index), name)


def split_summary(comment: str) -> tuple[str, str]:
    """Return the first sentence without its full stop, and what follows it."""
    head, _, rest = comment.partition(". ")
    return head.rstrip("."), rest
