"""Commands that are made from the description of their RPC: arguments from its path, options from its other fields."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import typer
from google.api import annotations_pb2
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from proximity.common.v1 import access_pb2, rules_pb2

from proximity_cli.answers import end_check, find_entries, is_map, present_answer, present_list, save_bytes
from proximity_cli.completion import complete_field
from proximity_cli.connection import Platform, connect
from proximity_cli.failures import CliError
from proximity_cli.following import wait_for_operation
from proximity_cli.inputs import confirm, read_secret

PER_PAGE = 100  # the most that a page may have
_BYTES = "google.api.HttpBody"
_ACCEPTED = 202
_MOST_SHOWN = 200  # characters of a value in a message
_NUMBERS = {
    FieldDescriptor.TYPE_INT32: int,
    FieldDescriptor.TYPE_UINT32: int,
    FieldDescriptor.TYPE_INT64: int,
    FieldDescriptor.TYPE_DOUBLE: float,
    FieldDescriptor.TYPE_FLOAT: float,
}


@dataclass(frozen=True)
class Rpc:
    """One command.

    Attributes:
        command: its words, `hosts test`.
        method: the RPC, `inventory.HostService.TestHost`.
        help: what it does.
        arguments: fields that are given by position, in order; default: those of its path.
        columns: fields of a list that a table shows; default: the first that are no messages.
        asks: what it destroys, as a question with the arguments in braces; --yes answers it.
        limit: how many entries of a paged list are read unless --limit is given; 0: all.
    """

    command: str
    method: str
    help: str
    arguments: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    asks: str = ""
    limit: int = 0


def find_method(name: str) -> MethodDescriptor:
    """Return the description of an RPC, by `inventory.HostService.TestHost`."""
    package, service, method = name.split(".")
    module = import_module(f"proximity.{package}.v1.{package}_service_pb2")
    found: MethodDescriptor = module.DESCRIPTOR.services_by_name[service].methods_by_name[method]
    return found


def make_command(rpc: Rpc) -> Callable[..., None]:
    """Return the function of a command, with the signature that typer makes its options of."""
    method = find_method(rpc.method)
    options = method.GetOptions()
    fields = {field.name: field for field in method.input_type.fields if not is_paging(field)}
    positional = rpc.arguments or tuple(_list_path_fields(options))
    is_paged = "per_page" in method.input_type.fields_by_name

    def run(**given: Any) -> None:  # noqa: ANN401 - what typer parsed
        yes, wait, limit, file = (given.pop(name, None) for name in ("yes", "no_wait", "limit", "file"))
        if rpc.asks and not yes:
            confirm(rpc.asks.format_map(given))
        request = build_request(method, fields, given)
        platform = connect()
        if method.output_type.full_name == _BYTES:
            return save_bytes(_call(platform, method, request).data, file)
        if is_paged or method.server_streaming:
            return present_list(read_all(platform, method, request, limit=limit or 0), rpc.columns)
        answer = _call(platform, method, request)
        if options.Extensions[access_pb2.rpc].success == _ACCEPTED and not wait:
            wait_for_operation(platform, request, answer)
        present_answer(answer, rpc.columns)
        return end_check(is_possible=not _is_check(method) or _is_possible(answer))

    parameters = [*_list_parameters(rpc, method, fields, positional=positional)]
    if is_paged:
        parameters.append(
            _option("limit", int, "--limit", default=rpc.limit, least=0, help="At most so many; 0: all.")
        )
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    run.__name__, run.__doc__ = rpc.command.rpartition(" ")[2].replace("-", "_"), rpc.help
    return run


def _is_check(method: MethodDescriptor) -> bool:
    """Whether an RPC previews a request or tests something, and changes nothing."""
    return str(method.name).startswith(("Preview", "Test"))


def _is_possible(answer: Message) -> bool:
    """Whether an answer says that a request would be accepted, or that a test passed."""
    verdicts = [getattr(answer, name, True) for name in ("possible", "success")]
    return all(verdicts) and not getattr(answer, "obstacles", ())


def is_paging(field: FieldDescriptor) -> bool:
    """Whether a field chooses a page by its number, which commands do themselves."""
    return field.name in {"page", "per_page"}


def _list_path_fields(options: Any) -> Iterator[str]:  # noqa: ANN401 - generated
    rule = options.Extensions[annotations_pb2.http]
    path = getattr(rule, rule.WhichOneof("pattern") or "get")
    return (part[1:-1] for part in path.split("/") if part.startswith("{"))


def _list_parameters(
    rpc: Rpc, method: MethodDescriptor, fields: Mapping[str, FieldDescriptor], *, positional: tuple[str, ...]
) -> Iterator[inspect.Parameter]:
    for name in positional:
        kind = _NUMBERS.get(fields[name].type, str)
        argument = typer.Argument(
            metavar=_name_argument(name),
            help=_explain(fields[name]),
            autocompletion=complete_field(fields[name]),
        )
        yield inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=Annotated[kind, argument])
    for name, field in fields.items():
        if name not in positional:
            yield describe_option(field)
    if rpc.asks:
        yield _option("yes", bool, "--yes", "-y", default=False, help="Do not ask.")
    if method.GetOptions().Extensions[access_pb2.rpc].success == _ACCEPTED:
        yield _option("no_wait", bool, "--no-wait", default=False, help="Do not wait until it is done.")
    if method.output_type.full_name == _BYTES:
        yield _option(
            "file", Path | None, "--file", default=None, help="Write to this file; default: standard output."
        )


def _name_argument(field: str) -> str:
    return field.removesuffix("_id").removesuffix("_name").upper()


@cache
def _read_comments() -> dict[str, str]:
    """Return the comments of the protos on fields, generated beside the stubs."""
    found: dict[str, str] = json.loads((files("proximity") / "comments.json").read_text(encoding="utf-8"))
    return found


def _explain(field: FieldDescriptor, form: str = "") -> str:
    comment = _read_comments().get(field.full_name, "")
    return f"{comment}. {form}".strip() if comment else form


def name_option(field: FieldDescriptor) -> str:
    """Return the option that sets a field: `--app-id`."""
    return "--" + str(field.name).replace("_", "-")


def describe_option(field: FieldDescriptor) -> inspect.Parameter:
    """Return the option that sets a field."""
    rules = field.GetOptions().Extensions[rules_pb2.rules]
    flag = name_option(field)
    kind: Any = str | None
    choices = list(getattr(rules, "in"))
    text = f"{', '.join(choices)}." if choices else ""
    if is_map(field):
        kind, text = list[str] | None, "NAME=VALUE, as often as needed."
    elif field.is_repeated:
        kind = list[str] | None
        text = "As often as needed." if field.message_type is None else "As JSON, as often as needed."
    elif field.message_type is not None:
        text = "RFC 3339." if field.message_type.name == "Timestamp" else "As JSON."
    elif field.type == FieldDescriptor.TYPE_BOOL:
        kind, flag, text = bool | None, f"{flag}/--no-{flag[2:]}", ""
    elif rules.secret:
        text = "- reads a line of standard input, @FILE a file."
    else:
        kind = _NUMBERS.get(field.type, str) | None
    return _option(field.name, kind, flag, default=None, help=_explain(field, text), field=field)


def _option(
    name: str,
    kind: Any,  # noqa: ANN401 - a type
    *flags: str,
    default: object,
    help: str,  # noqa: A002 - as typer names it
    field: FieldDescriptor | None = None,
    least: int | None = None,
) -> inspect.Parameter:
    completion = complete_field(field) if field is not None else None
    annotation = Annotated[kind, typer.Option(*flags, help=help, autocompletion=completion, min=least)]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def build_request(
    method: MethodDescriptor, fields: Mapping[str, FieldDescriptor], given: Mapping[str, Any]
) -> Message:
    """Return the request of what was given on the command line.

    Raises:
        CliError: a value cannot be read.
    """
    request = GetMessageClass(method.input_type)()
    for name, value in given.items():
        if value is None or value == []:
            continue
        body = {name: _read_value(fields[name], value)}
        try:
            json_format.ParseDict(body, request)
        except (json_format.ParseError, TypeError, AttributeError) as error:
            raise CliError(_explain_value(fields[name], value, str(error)), status=2) from error
    return request


def _explain_value(field: FieldDescriptor, value: object, reason: str) -> str:
    """Return a sentence on a value that a field cannot have."""
    option = name_option(field)
    if field.message_type is not None and field.message_type.name == "Timestamp":
        return f"{option}: {value!r} is no time; write it as 2026-11-30T12:00:00Z"
    if field.type in _NUMBERS:
        return f"{field.name}: {value} is out of range"
    return f"{option}: {value!r} cannot be read: {reason.rstrip('.')}"


def _read_value(field: FieldDescriptor, value: Any) -> Any:  # noqa: ANN401 - of any field
    if is_map(field):
        return dict(_read_pair(field, pair) for pair in value)
    if field.is_repeated:
        return list(value) if field.message_type is None else [_read_json(field, each) for each in value]
    if field.message_type is not None and field.message_type.name != "Timestamp":
        return _read_json(field, value)
    if field.GetOptions().Extensions[rules_pb2.rules].secret:
        return read_secret(value, name_option(field))
    return value


def _read_pair(field: FieldDescriptor, pair: str) -> tuple[str, Any]:
    name, separator, value = pair.partition("=")
    if not separator or not name:
        raise CliError(f"{name_option(field)}: {pair!r} is not NAME=VALUE", status=2)
    kind = field.message_type.fields_by_name["value"].type if field.message_type else None
    return name, value == "true" if kind == FieldDescriptor.TYPE_BOOL else value


def _read_json(field: FieldDescriptor, text: str) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        shown = text if len(text) < _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"
        raise CliError(f"{name_option(field)}: {shown!r} is not JSON: {error}", status=2) from error


def _call(platform: Platform, method: MethodDescriptor, request: Message) -> Any:  # noqa: ANN401 - any message
    options = method.GetOptions()
    stub = platform.find_stub(method)
    if options.idempotency_level == options.NO_SIDE_EFFECTS:
        return platform.read(stub, request)
    creates = options.Extensions[access_pb2.rpc].creates
    return platform.create(stub, request) if creates else platform.change(stub, request)


def read_all(platform: Platform, method: MethodDescriptor, request: Any, *, limit: int = 0) -> list[Any]:  # noqa: ANN401
    """Read a list to its end, or up to `limit` entries; a request with `after` begins behind that entry."""
    if method.server_streaming:
        return list(platform.stream(platform.find_stub(method), request))
    found: list[Any] = []
    request.per_page = min(limit or PER_PAGE, PER_PAGE)
    # The platform refuses a number of a page beside `after`.
    by_cursor = "after" in method.input_type.fields_by_name and bool(request.after)
    while True:
        if not by_cursor:
            request.page = len(found) // request.per_page + 1
        answer = platform.read(platform.find_stub(method), request)
        entries: list[Any] = list(find_entries(answer) or ())
        found += entries
        is_last = len(entries) < request.per_page if by_cursor else len(found) >= answer.total
        if not entries or is_last or (limit and len(found) >= limit):
            return found[:limit] if limit else found
        if by_cursor:
            request.after = entries[-1].id
