"""Strict JSON bodies of REST requests: every name known and given once, every value of its field's type.

The gateway passes a body unparsed (`proximity.common.v1.JsonRequest`), since Envoy's transcoder drops unknown fields
in silence. gRPC clients send the typed request, whose unknown fields are ignored: they are those of the next release.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import Any, NoReturn

from google.api import annotations_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import DecodeError, Message
from proximity.common.v1 import json_request_pb2, rules_pb2

from services.common.core.errors import InvalidError, Violation
from services.common.core.text import make_printable, suggest
from services.common.rpc.interceptors.json_values import ValueFaultError, compile_value

# The RPC that takes a request as JSON is named after the typed one.
JSON_SUFFIX = "FromJson"
# How many faults the sentence of a refusal names; its details name all.
_NAMED_FAULTS = 4
# Characters of an unknown name in a message.
_SHOWN_NAME = 100

_Set = Callable[[Any, Any, str, list[Violation]], None]


class UnreadableJsonError(InvalidError):
    """The body is not the JSON of the request."""


def takes_json(method: MethodDescriptor) -> bool:
    """Whether REST sends the RPC a body."""
    rule = method.GetOptions().Extensions[annotations_pb2.http]
    return any(each.body for each in (rule, *rule.additional_bindings))


def bind_reader(
    kind: type[Message], method: MethodDescriptor
) -> Callable[[bytes], Message | UnreadableJsonError]:
    """The parser of an RPC's `JsonRequest`; `kind` is the class of its typed request."""
    return partial(read_json_request, kind=kind, variables=_list_path_variables(method))


def read_json_request(
    data: bytes, *, kind: type[Message], variables: frozenset[str]
) -> Message | UnreadableJsonError:
    """Parse a `JsonRequest`.

    Args:
        data: the serialized request.
        kind: the class of the typed request.
        variables: the fields that the path binds; the body may repeat them with the same value.
    """
    try:
        body = json_request_pb2.JsonRequest.FromString(data).json_body.data
        request = kind.FromString(data)
        # The body itself is an unknown field of the typed request.
        request.DiscardUnknownFields()
        fill_message(request, _parse_json(body) if body else {}, fixed=variables)
    except DecodeError:
        return UnreadableJsonError("The request cannot be read")
    except UnreadableJsonError as error:
        return error
    return request


def _list_path_variables(method: MethodDescriptor) -> frozenset[str]:
    """The fields that a path of the RPC binds."""
    rule = method.GetOptions().Extensions[annotations_pb2.http]
    paths = [getattr(each, each.WhichOneof("pattern") or "get") for each in (rule, *rule.additional_bindings)]
    segments = [segment for path in paths for segment in path.split("/")]
    return frozenset(segment[1:-1] for segment in segments if segment.startswith("{"))


def fill_message(message: Message, given: Any, *, fixed: Iterable[str] = ()) -> None:
    """Set the fields of `message` that the parsed JSON `given` names; those in `fixed` have their value already.

    Raises:
        UnreadableJsonError: with a violation for every unknown field and every value of another type.
    """
    if not isinstance(given, dict):
        raise UnreadableJsonError("The body must be a JSON object")
    faults: list[Violation] = []
    wanted = {name: getattr(message, name) for name in fixed}
    _fill(message, given, prefix="", faults=faults, fixed=frozenset(wanted))
    for name, value in wanted.items():
        if given.get(name) is not None and getattr(message, name) != value:
            faults.append(Violation(name, "differs from the one in the path"))
        setattr(message, name, value)
    if faults:
        raise UnreadableJsonError(_describe(faults), violations=faults)


def _describe(faults: list[Violation]) -> str:
    named = [f"{fault.field} {fault.description}" for fault in faults[:_NAMED_FAULTS]]
    return "; ".join(named) + ("; …" if len(faults) > _NAMED_FAULTS else "")


def _parse_json(body: bytes) -> Any:
    try:
        return json.loads(
            body.decode("utf-8"), object_pairs_hook=_read_pairs, parse_constant=_refuse_constant
        )
    except UnicodeDecodeError:
        raise UnreadableJsonError("The body is not valid UTF-8") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise UnreadableJsonError(f"The body is not valid JSON: {error.msg} at {where}") from None
    except RecursionError:
        raise UnreadableJsonError("The body is nested too deeply") from None
    except ValueError:  # a number of more digits than Python reads
        raise UnreadableJsonError("The body is not valid JSON: a number has too many digits") from None


def _read_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    # Parsers differ in which of two values they take; a proxy before us may have checked the other one.
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        repeated = _show(next(name for name in names if names.count(name) > 1))
        fault = Violation(repeated, "is given more than once")
        raise UnreadableJsonError(f"{fault.field} {fault.description}", violations=[fault])
    return found


def _show(name: str) -> str:
    """A name that a client chose, fit for a message."""
    shown = make_printable(name[:_SHOWN_NAME])
    return shown.encode(errors="replace").decode() or '""'


def _refuse_constant(name: str) -> NoReturn:
    raise UnreadableJsonError(f"The body is not valid JSON: {name} is no number")


def _fill(
    message: Message,
    given: dict[str, Any],
    *,
    prefix: str,
    faults: list[Violation],
    fixed: frozenset[str] = frozenset(),
) -> None:
    setters = _setters_of(message.DESCRIPTOR)
    for name, value in given.items():
        setter = setters.get(name)
        if setter is None:
            faults.append(
                Violation(prefix + _show(name), f"is not known here; {suggest(name, setters.keys() - fixed)}")
            )
        else:
            setter(message, value, prefix + name, faults)


@cache
def _setters_of(descriptor: Descriptor) -> dict[str, _Set]:
    return {field.name: _compile(field) for field in descriptor.fields}


def _compile(field: FieldDescriptor) -> _Set:
    rules = field.GetOptions().Extensions[rules_pb2.rules]
    set_value = _compile_setter(field)

    def set_field(message: Any, value: Any, path: str, faults: list[Violation]) -> None:
        try:
            if value is None:
                _set_null(message, field, rules=rules)
            else:
                set_value(message, value, path, faults)
        except ValueFaultError as fault:
            faults.append(Violation(path + fault.place, fault.description))

    return set_field


def _set_null(message: Any, field: FieldDescriptor, *, rules: rules_pb2.Rules) -> None:
    if rules.null_refused:
        raise ValueFaultError(f"must not be null; {rules.null_refused}")
    if rules.null_clears and field.message_type is not None:
        getattr(message, field.name).SetInParent()
    elif rules.null_clears:
        setattr(message, field.name, field.default_value)


def _compile_setter(field: FieldDescriptor) -> _Set:
    name, nested = field.name, field.message_type
    if nested is not None and nested.GetOptions().map_entry:
        return _compile_map(
            name, nested, null_names=field.GetOptions().Extensions[rules_pb2.rules].null_entries
        )
    if nested is not None and not nested.full_name.startswith("google.protobuf."):
        return _compile_messages(field) if field.is_repeated else _compile_message(name)
    read = compile_value(field)
    if field.is_repeated:
        return _compile_list(name, read)
    if nested is not None:
        return lambda message, value, _path, _faults: getattr(message, name).CopyFrom(read(value))
    return lambda message, value, _path, _faults: setattr(message, name, read(value))


def _compile_message(name: str) -> _Set:
    def set_message(message: Any, value: Any, path: str, faults: list[Violation]) -> None:
        if not isinstance(value, dict):
            raise ValueFaultError("must be an object")
        nested = getattr(message, name)
        nested.SetInParent()
        _fill(nested, value, prefix=f"{path}.", faults=faults)

    return set_message


def _compile_messages(field: FieldDescriptor) -> _Set:
    def set_messages(message: Any, value: Any, path: str, faults: list[Violation]) -> None:
        for index, each in enumerate(_check_list(value)):
            if isinstance(each, dict):
                _fill(getattr(message, field.name).add(), each, prefix=f"{path}[{index}].", faults=faults)
            else:
                faults.append(Violation(f"{path}[{index}]", "must be an object"))

    return set_messages


def _compile_list(name: str, read: Callable[[Any], Any]) -> _Set:
    def set_list(message: Any, value: Any, _path: str, _faults: list[Violation]) -> None:
        values = []
        for index, each in enumerate(_check_list(value)):
            try:
                values.append(read(each))
            except ValueFaultError as fault:
                raise ValueFaultError(fault.description, place=f"[{index}]{fault.place}") from None
        getattr(message, name).extend(values)

    return set_list


def _check_list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueFaultError("must be a list")
    return value


def _compile_map(name: str, entry: Descriptor, *, null_names: str) -> _Set:
    """`null_names` is the field that takes the names of entries that are null; without one they are refused."""
    read_key = compile_value(entry.fields_by_name["key"])
    read = compile_value(entry.fields_by_name["value"])

    def set_map(message: Any, value: Any, path: str, faults: list[Violation]) -> None:
        if not isinstance(value, dict):
            raise ValueFaultError("must be an object")
        entries = getattr(message, name)
        for key, each in value.items():
            try:
                if each is None and null_names:
                    getattr(message, null_names).append(read_key(key))
                else:
                    entries[read_key(key)] = read(each)
            except ValueFaultError as fault:
                faults.append(Violation(f"{path}.{_show(key)}{fault.place}", fault.description))

    return set_map
