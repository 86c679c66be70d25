"""What the commands print: tables for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer
from google.protobuf import json_format
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from rich.markup import escape
from rich.table import Table

from proximity_cli.terminal import SafeConsole

Json = Annotated[bool, typer.Option("--json", help="Print what the platform answered, as JSON.")]
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


def print_json(answer: Message | Sequence[Message]) -> None:
    """Print messages as the REST API would."""
    value: Any = [_as_value(each) for each in answer] if isinstance(answer, Sequence) else _as_value(answer)
    typer.echo(_write_json(value, indent=2))


def print_json_line(message: Message) -> None:
    """Print a message of a stream on one line."""
    typer.echo(_write_json(_as_value(message)))


def _write_json(value: Any, *, indent: int | None = None) -> str:  # noqa: ANN401 - whatever JSON can hold
    return json.dumps(value, indent=indent).replace(
        "\x7f", "\\u007f"
    )  # the one control that JSON leaves as it is


def _as_value(message: Message) -> dict[str, Any]:
    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


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
    """Return a time in this machine's zone."""
    return datetime.fromtimestamp(timestamp.seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")


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
