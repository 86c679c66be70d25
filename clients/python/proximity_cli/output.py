"""What the commands print: tables for people; JSON, YAML or names for programs."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import typer
import yaml
from google.protobuf import json_format
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from rich.markup import escape
from rich.table import Table

from proximity_cli.terminal import SafeConsole, neutralise

console = SafeConsole(highlight=False, soft_wrap=True)
complaints = SafeConsole(stderr=True, highlight=False, soft_wrap=True)
COLOURS = {
    "running": "green",
    "online": "green",
    "completed": "green",
    "error": "red",
    "failed": "red",
    "offline": "red",
    "stopped": "yellow",
    "warning": "yellow",
}
_NAMES = (
    "id",
    "username",
    "name",
    "app_id",
    "backup_id",
    "operation_id",
    "link",
    "bridge",
)  # the first that a message has names it
_MOST_COLUMNS = 7


class Output(StrEnum):
    """The form in which answers are printed."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


_output: ContextVar[Output] = ContextVar("output", default=Output.TABLE)
_OutputOption = Annotated[
    Output,
    typer.Option("--output", "-o", help="json and yaml are the body of the REST API; name is the id alone."),
]
_JsonOption = Annotated[bool, typer.Option("--json", help="The same as --output json.")]


def with_output(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command with the options that choose the form of its output."""
    signature = inspect.signature(command, eval_str=True)
    kind = inspect.Parameter.KEYWORD_ONLY
    added = [
        inspect.Parameter("output", kind, default=Output.TABLE, annotation=_OutputOption),
        inspect.Parameter("as_json", kind, default=False, annotation=_JsonOption),
    ]

    @functools.wraps(command)
    def run(*arguments: Any, output: Output, as_json: bool, **options: Any) -> None:  # noqa: ANN401
        _output.set(Output.JSON if as_json else output)
        command(*arguments, **options)

    parameters = [*signature.parameters.values(), *added]
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    del run.__wrapped__  # typer would read the signature of that one
    return run


def present(answer: Message | Sequence[Message], show: Callable[[], object]) -> None:
    """Print an answer in the chosen form; `show` prints it for people."""
    output = _output.get()
    if output is Output.TABLE:
        show()
    elif output is Output.NAME:
        for each in answer if isinstance(answer, Sequence) else (answer,):
            _print_name(each)
    else:
        value: Any = (
            [_as_value(each) for each in answer] if isinstance(answer, Sequence) else _as_value(answer)
        )
        typer.echo(_write_json(value, indent=2) if output is Output.JSON else _write_yaml(value))


def print_line(message: Message, show: Callable[[], object]) -> None:
    """Print a message of a stream: one line of JSON, or a document of YAML."""
    output = _output.get()
    if output is Output.TABLE:
        show()
    elif output is Output.YAML:
        typer.echo(f"---\n{_write_yaml(_as_value(message))}")
    elif output is Output.JSON:
        typer.echo(_write_json(_as_value(message)))
    else:
        _print_name(message)


def _print_name(message: Message) -> None:
    """Print the id of a message, or the texts of one that is a list of texts; nothing where it has neither."""
    fields = message.DESCRIPTOR.fields_by_name
    if name := next((name for name in _NAMES if name in fields), ""):
        found: list[Any] = [getattr(message, name)]
    else:
        texts = [f.name for f in message.DESCRIPTOR.fields if f.is_repeated and f.message_type is None]
        found = list(getattr(message, texts[0])) if texts == list(fields) else []
    for each in found:
        if each:
            typer.echo(neutralise(str(each)))


def _write_json(value: Any, *, indent: int | None = None) -> str:  # noqa: ANN401 - whatever JSON can hold
    # DEL is the one control character that JSON leaves as it is.
    return json.dumps(value, indent=indent).replace("\x7f", "\\u007f")


def _write_yaml(value: Any) -> str:  # noqa: ANN401 - whatever JSON can hold
    return str(yaml.safe_dump(value, sort_keys=False)).rstrip("\n")


def _as_value(message: Message) -> dict[str, Any]:
    body = json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    integral: dict[str, Any] = _restore_integers(body)
    return integral


def _restore_integers(value: Any) -> Any:  # noqa: ANN401 - whatever JSON can hold
    """Return 2048 for 2048.0: free-form objects hold all numbers as floating point, and REST prints them whole."""
    if isinstance(value, dict):
        return {name: _restore_integers(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_restore_integers(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def print_records(found: Sequence[Message], columns: Sequence[str] = ()) -> None:
    """Print messages as a table of their fields; without columns, of the first that are no messages."""
    if not found:
        return console.print("[dim]There are none.[/]")
    names = columns or [f.name for f in found[0].DESCRIPTOR.fields if f.message_type is None][:_MOST_COLUMNS]
    rows = [[_render_field(each, name) for name in names] for each in found]
    return print_table([name.replace("_", " ").upper() for name in names], rows, empty="")


def _render_field(message: Message, name: str) -> object:
    field = message.DESCRIPTOR.fields_by_name[name]
    if field.has_presence and not message.HasField(name):
        return ""
    value = getattr(message, name)
    if isinstance(value, Timestamp):
        return render_time(value)
    return ", ".join(str(each) for each in value) if field.is_repeated else value


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Print rows under their headings, or the sentence `empty`."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(render_cell(value) for value in row))
    console.print(table if table.row_count else f"[dim]{escape(empty)}[/]")


def print_facts(facts: Iterable[tuple[str, object]]) -> None:
    """Print names and values, leaving out what has no value."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in facts:
        if value not in ("", None):
            table.add_row(f"[bold]{name}[/]", render_cell(value))
    console.print(table)


def render_cell(value: object) -> str:
    """Return a value as text of a table; statuses have their colour."""
    text = escape(str(value))
    return f"[{COLOURS[text]}]{text}[/]" if text in COLOURS else text


def render_time(timestamp: Timestamp) -> str:
    """Return a time in this machine's zone, with the zone."""
    return datetime.fromtimestamp(timestamp.seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def render_size(size: float) -> str:
    """Return bytes in the unit that fits."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def print_done(sentence: str) -> None:
    """Say that something was done."""
    console.print(f"[green]✓[/] {escape(sentence)}")


def print_error(sentence: str, hint: str = "") -> None:
    """Say on standard error what went wrong and what to do about it."""
    complaints.print(f"[bold red]error:[/] {escape(sentence)}")
    if hint:
        complaints.print(f"[dim]{escape(hint)}[/]")
