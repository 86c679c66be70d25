"""What a REST request may carry in its path and query: the tables of `query.lua`, from the protos."""

from __future__ import annotations

from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from proximity.common.v1 import rules_pb2

from gateway.schemas import get_rules
from gateway.surface import Binding, Method, Surface, list_parameters

_INTEGERS = {FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_UINT32}


def describe_operation(surface: Surface, method: Method, binding: Binding) -> dict[str, Any]:
    """Return the facts about a binding that the Lua checks requests against."""
    fields = surface.get_message(method.input).fields_by_name
    numbers = {
        part[1:-1]: {"at": index + 1, "wanted": _describe_values(fields[part[1:-1]])[1]}
        for index, part in enumerate(binding.segments)
        if part.startswith("{") and fields[part[1:-1]].type != FieldDescriptor.TYPE_STRING
    }
    return {
        "body": binding.body != "",
        "array": method.is_array,
        "endless": method.is_endless,
        "websocket": bool(method.websocket),
        "path": dict.fromkeys(binding.variables, True),
        "numbers": numbers,
        "query": {
            field.name: _describe_parameter(field) for field in list_parameters(surface, method, binding)
        },
    }


def _describe_parameter(field: FieldDescriptor) -> dict[str, Any]:
    kind, wanted = _describe_values(field)
    return {"kind": kind, "wanted": wanted, "many": bool(field.is_repeated)}


def _describe_values(field: FieldDescriptor) -> tuple[str, str]:
    """Return the kind of a field's values for the Lua, and the same for a person, with the field's own bounds."""
    if field.type in _INTEGERS:
        return "integer", _describe_number(get_rules(field), "a whole number")
    if field.type in {FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT}:
        return "number", _describe_number(get_rules(field), "a number")
    if field.type == FieldDescriptor.TYPE_BOOL:
        return "boolean", "true or false"
    return "text", "text"


def _describe_number(rules: rules_pb2.Rules, noun: str) -> str:
    low, high = rules.HasField("min"), rules.HasField("max")
    if low and high:
        return f"{noun} from {_show(rules.min)} to {_show(rules.max)}"
    if low:
        return f"{noun} of at least {_show(rules.min)}"
    return f"{noun} of at most {_show(rules.max)}" if high else noun


def _show(number: float) -> str:
    """Return a number in digits: 1000000, not 1e+06."""
    return str(int(number)) if number.is_integer() else repr(number)
