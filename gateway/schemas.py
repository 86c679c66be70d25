"""JSON schemas of messages, as the transcoder reads and prints them, with the rules that stand on the fields."""

from __future__ import annotations

import json
from typing import Any

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from proximity.common.v1 import rules_pb2

from gateway.combinations import apply_message_rules
from gateway.comments import collect_comments
from gateway.patterns import LINES, MONOTONOUS, choose_key_pattern, choose_pattern
from gateway.surface import Surface

Schema = dict[str, Any]

INT32 = {"type": "integer", "format": "int32", "minimum": -(2**31), "maximum": 2**31 - 1}
UINT32 = {"type": "integer", "minimum": 0, "maximum": 2**32 - 1}
WIDE = {"type": "string", "pattern": "^-?[0-9]+$"}  # 64 bits print as strings
NUMBER = {"type": "number", "format": "double"}
SCALARS: dict[int, Schema] = {
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
    FieldDescriptor.TYPE_DOUBLE: NUMBER,
    FieldDescriptor.TYPE_FLOAT: NUMBER,
    FieldDescriptor.TYPE_INT32: INT32,
    FieldDescriptor.TYPE_SINT32: INT32,
    FieldDescriptor.TYPE_SFIXED32: INT32,
    FieldDescriptor.TYPE_UINT32: UINT32,
    FieldDescriptor.TYPE_FIXED32: UINT32,
    FieldDescriptor.TYPE_INT64: WIDE,
    FieldDescriptor.TYPE_UINT64: WIDE,
}
WELL_KNOWN: dict[str, Schema] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "pattern": "^-?[0-9]+(\\.[0-9]+)?s$"},
    "google.protobuf.Struct": {"type": "object", "additionalProperties": True},
    "google.protobuf.Value": {},
    "google.protobuf.ListValue": {"type": "array", "items": {}},
    "google.protobuf.Empty": {"type": "object"},
    "google.protobuf.Any": {
        "type": "object",
        "required": ["@type"],
        "properties": {"@type": {"type": "string"}},
    },
}


class Schemas:
    """Collects the component schemas that the operations refer to."""

    def __init__(self, surface: Surface) -> None:
        self._surface = surface
        self._owners: dict[str, str] = {}
        self.comments = collect_comments(surface.image)
        self.components: dict[str, Schema] = {}

    def refer_to_answer(self, name: str) -> Schema:
        """Return the schema of an answer; every field that is not optional is always printed."""
        return self._refer(self._surface.get_message(name), is_request=False)

    def render_body(self, name: str, without: tuple[str, ...]) -> Schema:
        """Return the schema of a request body, without the fields that the path binds."""
        if name in WELL_KNOWN:
            return WELL_KNOWN[name] | {"additionalProperties": False}  # google.protobuf.Empty
        message = self._surface.get_message(name)
        schema = self._render_object(message, is_request=True, without=without)
        if self.components.setdefault(message.name, schema) != schema:
            return schema  # the same request with other fields in its path
        return {"$ref": f"#/components/schemas/{message.name}"}

    def is_needed(self, schema: Schema) -> bool:
        """Whether a body of this schema must be sent."""
        return "required" in self.resolve(schema)

    def resolve(self, schema: Schema) -> Schema:
        """Return the schema itself, or the component that it refers to."""
        name = schema.get("$ref", "").rpartition("/")[2]
        return self.components[name] if name else schema

    def refer_to_events(self, name: str) -> Schema:
        """Return the schema of the data of server-sent events: the one-of of a message, and what ends a stream early.

        It is a component, for generators name what stands in an operation after its status.
        """
        # protoc makes a one-of of each optional field, with an underscore before its name.
        [one_of] = [each for each in self._surface.get_message(name).oneofs if not each.name.startswith("_")]
        kinds = {field.name: self._render_type(field, is_request=False) for field in one_of.fields}
        kinds["failed"] = {"$ref": "#/components/schemas/Error"}
        names = ", ".join(f"`{event}`" for event in kinds)
        distinct = {
            json.dumps(schema): schema for schema in kinds.values()
        }  # two events may have the same data
        key = name.rpartition(".")[2]
        self.components[key] = {
            "description": f"The data of one event: of {names}. An event `failed` is the last of its stream.",
            "anyOf": list(distinct.values()),
        }
        return {"$ref": f"#/components/schemas/{key}"}

    def render_parameter(self, field: FieldDescriptor) -> Schema:
        """Return the schema of a query or path parameter, without its description."""
        schema = self._render_field(field, is_request=True)
        schema.pop("description", None)
        schema.pop("writeOnly", None)
        return schema

    def is_paged(self, name: str) -> bool:
        """Whether a request asks for a page of a list."""
        return "per_page" in self._surface.get_message(name).fields_by_name

    def _refer(self, message: Descriptor, *, is_request: bool) -> Schema:
        name = str(message.full_name)
        if name in WELL_KNOWN:
            return dict(WELL_KNOWN[name])
        key = str(message.name) + ("Input" if is_request else "")
        if self._owners.setdefault(key, name) != name:
            key = name.split(".")[1].capitalize() + key
        if key not in self.components:
            self.components[key] = {}  # a message may hold itself
            self.components[key] = self._render_object(message, is_request=is_request)
        return {"$ref": f"#/components/schemas/{key}"}

    def _render_object(
        self, message: Descriptor, *, is_request: bool, without: tuple[str, ...] = ()
    ) -> Schema:
        fields = [field for field in message.fields if field.name not in without]
        schema: Schema = {"type": "object"}
        if comment := self.comments.get(message.full_name):
            schema["description"] = comment
        schema["properties"] = {
            field.name: self._render_property(field, is_request=is_request) for field in fields
        }
        required = [field.name for field in fields if _is_required(field, is_request=is_request)]
        if required:
            schema["required"] = required
        if is_request:
            schema["additionalProperties"] = False
            apply_message_rules(schema, message)
        return schema

    def _render_property(self, field: FieldDescriptor, *, is_request: bool) -> Schema:
        """A field of a body. One that may be left out may also be null, unless its rules say otherwise."""
        schema = self._render_field(field, is_request=is_request)
        if schema.get("type") in {"integer", "number"}:
            schema.setdefault("examples", [_choose_example(schema)])
        if field.GetOptions().deprecated:
            schema["deprecated"] = True
        if is_request and _may_be_null(field):
            _allow_null(schema)
        return schema

    def _render_field(self, field: FieldDescriptor, *, is_request: bool) -> Schema:
        rules = get_rules(field)
        schema = self._render_type(field, is_request=is_request)
        if rules.items:
            schema["items"] = self._refer(self._surface.get_message(rules.items), is_request=is_request)
        if rules.properties:
            schema = self._refer(self._surface.get_message(rules.properties), is_request=is_request)
        if rules.entry_format:
            schema["additionalProperties"] = {
                "type": "string",
                "pattern": choose_pattern(rules, is_needed=True),
            }
            if is_request:
                schema["propertyNames"] = {"pattern": choose_key_pattern(rules)}
        if is_request:
            _apply_rules(schema, rules)
        elif rules.values:
            target = schema["items"] if schema.get("type") == "array" else schema
            target["x-extensible-enum"] = list(rules.values)
        if rules.example:
            schema["examples"] = [json.loads(rules.example)]
        if comment := self.comments.get(field.full_name):
            schema["description"] = comment
        return schema

    def _render_type(self, field: FieldDescriptor, *, is_request: bool) -> Schema:
        message = field.message_type
        if message is not None and message.GetOptions().map_entry:
            value = self._render_single(message.fields_by_name["value"], is_request=is_request)
            if is_request and value.get("type") == "string":
                value["pattern"] = LINES
            if is_request and get_rules(field).null_entries:
                value["type"] = [value["type"], "null"]
            names = {"propertyNames": {"pattern": choose_key_pattern(get_rules(field))}} if is_request else {}
            return {"type": "object", **names, "additionalProperties": value}
        single = self._render_single(field, is_request=is_request)
        return {"type": "array", "items": single} if field.is_repeated else single

    def _render_single(self, field: FieldDescriptor, *, is_request: bool) -> Schema:
        if field.enum_type is not None:
            return {"type": "string", "enum": [value.name for value in field.enum_type.values]}
        if field.message_type is not None:
            return self._refer(field.message_type, is_request=is_request)
        return dict(SCALARS[field.type])


def get_rules(field: FieldDescriptor) -> rules_pb2.Rules:
    """Return the rules that stand on a field, whichever pool it comes from."""
    parsed = descriptor_pb2.FieldOptions.FromString(field.GetOptions().SerializeToString())
    return parsed.Extensions[rules_pb2.rules]


def _is_required(field: FieldDescriptor, *, is_request: bool) -> bool:
    if is_request:
        rules = get_rules(field)
        return rules.required or is_needed_number(field, rules)
    return field.is_repeated or not _is_optional(field)


def _is_optional(field: FieldDescriptor) -> bool:
    """Whether the field is marked `optional`: protoc gives it a one-of of its own."""
    return field.containing_oneof is not None


def _allow_null(schema: Schema) -> None:
    if isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"], "null"]
    elif "$ref" in schema:
        schema["anyOf"] = [{"$ref": schema.pop("$ref")}, {"type": "null"}]
    if "enum" in schema:
        schema["enum"] = [*schema["enum"], None]


def _may_be_null(field: FieldDescriptor) -> bool:
    rules = get_rules(field)
    return not rules.required and not rules.null_refused and not is_needed_number(field, rules)


def is_needed_number(field: FieldDescriptor, rules: rules_pb2.Rules) -> bool:
    """Whether a number without presence must be sent: left out it would be 0, which its rules exclude."""
    return bool(rules.min > 0 and not field.has_presence and not field.is_repeated)


def _choose_example(schema: Schema) -> float:
    """A number that fits and looks ordinary: a page would otherwise show the smallest that the type can hold."""
    low, high = float(schema.get("minimum", 0)), float(schema.get("maximum", 1))
    example = low if low > 0 else min(1.0, high)
    return int(example) if schema["type"] == "integer" else example


def _apply_rules(schema: Schema, rules: rules_pb2.Rules) -> None:
    """Write the rules of a field into its schema; in lists, those of single values go to the elements."""
    target = schema["items"] if schema.get("type") == "array" else schema
    if rules.required and schema.get("type") == "array":
        schema["minItems"] = 1
    if rules.HasField("max_items"):
        schema["maxItems" if schema.get("type") == "array" else "maxProperties"] = rules.max_items
    if target.get("type") == "string":
        _apply_text_rules(target, rules)
    if target.get("type") in {"integer", "number"}:
        whole = target["type"] == "integer"
        if rules.HasField("min"):
            target["minimum"] = int(rules.min) if whole else rules.min
        if rules.HasField("max"):
            target["maximum"] = int(rules.max) if whole else rules.max
    if rules.secret:
        schema["writeOnly"] = True


def _apply_text_rules(schema: Schema, rules: rules_pb2.Rules) -> None:
    least = max(rules.min_len, int(rules.required or bool(rules.null_refused)))
    if least:
        schema["minLength"] = least
    if rules.HasField("max_len"):
        schema["maxLength"] = rules.max_len
    if rules.pattern and not rules.format:
        schema["pattern"] = f"^(?:{rules.pattern})$"
    elif getattr(rules, "in"):
        schema["enum"] = list(getattr(rules, "in"))
    else:
        schema["pattern"] = choose_pattern(rules, is_needed=least > 0)
    if rules.format == "new_password":
        schema["not"] = MONOTONOUS
    if rules.secret:
        schema["format"] = "password"
