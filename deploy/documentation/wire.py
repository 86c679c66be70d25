"""The pages of what goes over the wire: RPCs with their paths, and events, both from the protos."""

from __future__ import annotations

import re
from collections.abc import Iterator

from google.protobuf.descriptor import FieldDescriptor

from gateway.comments import collect_comments, split_summary
from gateway.surface import Method, Surface

_SUBJECT = re.compile(r"^([a-z]+(?:\.[a-z0-9_]+)+)(?:: (.*)|\.?)$", re.DOTALL)
_WHO = {
    "public": "anybody",
    "user": "users",
    "owner": "its owner, administrators",
    "admin": "administrators",
}


def render_api(surface: Surface) -> str:
    """docs/reference/api.md: every RPC that the gateway lets through."""
    comments = collect_comments(surface.image)
    lines = [
        "# The API",
        "Every RPC that the gateway lets through, as gRPC and, where it has a path, as REST. While the platform runs,",
        "`/api/docs` shows the same with every field, and tries it; `.venv/bin/python -m gateway openapi --out -` writes",
        "the document. What clients may rely on: [versions](../versioning.md).",
    ]
    for service in sorted({method.service for method in surface.routed}):
        lines += [
            "",
            f"## {service}",
            comments.get(service, ""),
            "",
            "| RPC | REST | for | what |",
            "|---|---|---|---|",
        ]
        lines += [_render_method(each, comments) for each in surface.routed if each.service == service]
    return "\n".join(lines) + "\n"


def _render_method(method: Method, comments: dict[str, str]) -> str:
    paths = "<br>".join(f"`{each.method} {each.path}`" for each in method.bindings) or "gRPC alone"
    summary, _ = split_summary(comments.get(f"{method.service}.{method.name}", ""))
    cells = (f"`{method.name}`", paths, _WHO.get(method.access, method.access), _escape(summary))
    return f"| {' | '.join(cells)} |"


def render_events(surface: Surface) -> str:
    """docs/reference/events.md: what is published to NATS, as the comments of the messages name it."""
    comments = collect_comments(surface.image)
    lines = [
        "# Events",
        "Facts that the services publish to NATS JetStream, as protobuf messages. Those in the stream `EVENTS`",
        "(`events.>`) are stored for 7 days, those in `AUDIT` (`audit.>`) for 30. An event comes at least once and may come",
        "twice: `Nats-Msg-Id` tells. Another program may read them with a durable consumer of its own name.",
    ]
    for name, subject, words in sorted(_list_events(surface, comments), key=lambda each: each[1]):
        lines += ["", f"## {subject}", *([_escape(words)] if words else []), "", f"`{name}`:", ""]
        lines += ["| field | type | what |", "|---|---|---|"]
        for field in surface.get_message(name).fields:
            what = _escape(comments.get(field.full_name, ""))
            lines.append(f"| `{field.name}` | {_name_type(field)} | {what} |")
    return "\n".join(lines) + "\n"


def _list_events(surface: Surface, comments: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """Full name, subject and words of each message in a file of events."""
    for file in surface.image.file:
        if not file.name.endswith("/events.proto"):
            continue
        for message in file.message_type:
            name = f"{file.package}.{message.name}"
            found = _SUBJECT.match(comments.get(name, ""))
            if found is None:
                raise ValueError(f"the comment of {name} does not begin with its subject")
            yield name, found[1], found[2] or ""


def _name_type(field: FieldDescriptor) -> str:
    if field.message_type is not None:
        return str(field.message_type.name)
    return str(field.enum_type.name) if field.enum_type is not None else _SCALARS[field.type]


_SCALARS = {
    getattr(FieldDescriptor, name): name.removeprefix("TYPE_").lower()
    for name in dir(FieldDescriptor)
    if name.startswith("TYPE_")
}


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
