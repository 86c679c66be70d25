"""Rules of several fields of a request together (`MessageRules`), as a part of its JSON schema.

They become a single `not`, which generators of clients pass over: `anyOf` and `allOf` would be types of their own to them.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import Descriptor
from proximity.common.v1 import rules_pb2

Schema = dict[str, Any]


def apply_message_rules(schema: Schema, message: Descriptor) -> None:
    """Write the combinations of fields that a message refuses into its schema.

    Fields that the schema leaves out are never set. What one field alone decides is said of that field.
    """
    properties: dict[str, Schema] = schema["properties"]
    refused = []
    for rule in _get_rules(message).refused:
        unset = [name for name in rule.unset if name in properties]
        if not rule.set and len(unset) == 1:
            _require(schema, unset[0])
        elif all(name in properties for name in rule.set):
            refused.append(_describe(rule, properties, unset=unset))
    if refused:
        schema["not"] = {"anyOf": refused} if len(refused) > 1 else refused[0]


def _get_rules(message: Descriptor) -> rules_pb2.MessageRules:
    """Return the rules of a message, whichever pool it comes from."""
    parsed = descriptor_pb2.MessageOptions.FromString(message.GetOptions().SerializeToString())
    return parsed.Extensions[rules_pb2.message_rules]


def _require(schema: Schema, name: str) -> None:
    schema["required"] = [*schema.get("required", ()), name]
    described = schema["properties"][name]
    described["type"] = "string"
    described["minLength"] = max(1, described.get("minLength", 0))
    described["pattern"] = described["pattern"].replace(")?$", ")$")


def _describe(rule: rules_pb2.Combination, properties: dict[str, Schema], *, unset: list[str]) -> Schema:
    described: Schema = {
        "properties": {
            **{name: _describe_set(_name_type(properties[name])) for name in rule.set},
            **{name: _describe_unset(_name_type(properties[name])) for name in unset},
        }
    }
    return described | ({"required": list(rule.set)} if rule.set else {})


def _name_type(schema: Schema) -> str:
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return str(next(kind for kind in kinds if kind != "null"))


def _describe_set(kind: str) -> Schema:
    sizes = {"string": {"minLength": 1}, "array": {"minItems": 1}}
    return {"type": kind} | sizes.get(kind, {})


def _describe_unset(kind: str) -> Schema:
    """What null and the empty value fit as well."""
    return {"string": {"maxLength": 0}, "array": {"maxItems": 0}}.get(kind, {"type": "null"})
