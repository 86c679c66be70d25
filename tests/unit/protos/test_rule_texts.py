"""Rules on fields say in words what they demand: messages to people show no regular expression."""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf import descriptor_pb2
from proximity.common.v1 import rules_pb2

from gateway.comments import collect_comments
from protos import IMAGE


def list_rules() -> Iterator[tuple[str, rules_pb2.Rules]]:
    for file in descriptor_pb2.FileDescriptorSet.FromString(IMAGE.read_bytes()).file:
        for message in file.message_type:
            for field in message.field:
                if field.options.HasExtension(rules_pb2.rules):
                    yield f"{message.name}.{field.name}", field.options.Extensions[rules_pb2.rules]


def test_every_pattern_says_what_it_demands() -> None:
    patterns = [(name, rules) for name, rules in list_rules() if rules.pattern]
    assert len(patterns) > 20
    assert [name for name, rules in patterns if not rules.pattern_text.startswith("must ")] == []


def test_one_pattern_is_described_in_one_way() -> None:
    said: dict[str, set[str]] = {}
    for _, rules in list_rules():
        if rules.pattern:
            said.setdefault(rules.pattern, set()).add(rules.pattern_text)
    assert {pattern: texts for pattern, texts in said.items() if len(texts) > 1} == {}


def test_what_empty_means_can_be_sent() -> None:
    comments = collect_comments(descriptor_pb2.FileDescriptorSet.FromString(IMAGE.read_bytes()))
    refused = [name for name, rules in list_rules() if rules.null_refused]
    assert len(refused) > 20
    said = {name: comment for name, comment in comments.items() if "Empty:" in comment}
    assert [name for name in said if name.endswith(tuple(refused))] == []
