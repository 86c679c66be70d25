"""Answers of commands that are made from their RPC: lists as tables, sentences, facts, bytes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import typer
from google.protobuf import json_format
from google.protobuf.message import Message

from proximity_cli.failures import NOT_POSSIBLE, CliError
from proximity_cli.output import present, print_done, print_facts, print_records


def is_map(field: Any) -> bool:  # noqa: ANN401 - of either implementation of protobuf
    """Tell whether a field is a map."""
    return bool(field.message_type is not None and field.message_type.GetOptions().map_entry)


def find_entries(answer: Message) -> list[Message] | None:
    """Return the messages of an answer that is a list of messages, else None."""
    lists = [f for f in answer.DESCRIPTOR.fields if f.is_repeated and f.message_type is not None]
    others = (
        {f.name for f in answer.DESCRIPTOR.fields} - {f.name for f in lists} - {"total", "page", "per_page"}
    )
    if len(lists) != 1 or others or is_map(lists[0]):
        return None
    return list(getattr(answer, lists[0].name))


def present_list(found: list[Message], columns: Sequence[str]) -> None:
    """Print the entries of a list."""
    present(found, lambda: print_records(found, columns))


def present_answer(answer: Message, columns: Sequence[str]) -> None:
    """Print an answer: as a table where it is a list, in one sentence where it says one."""
    entries = find_entries(answer)
    if entries is not None:
        return present_list(entries, columns)

    def show() -> None:
        sentence = getattr(answer, "message", "") or getattr(answer, "detail", "")
        if sentence or not answer.DESCRIPTOR.fields:
            return print_done(sentence or "done")
        return print_facts(_list_facts(answer))

    return present(answer, show)


def end_check(*, is_possible: bool) -> None:
    """End a command that only checked; what it found is printed.

    Raises:
        typer.Exit: the request would be refused, or what was tested does not work.
    """
    if not is_possible:
        raise typer.Exit(NOT_POSSIBLE)


def _list_facts(answer: Message) -> Iterator[tuple[str, object]]:
    body = json_format.MessageToDict(
        answer, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    for name, value in body.items():
        yield (
            name,
            json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) and value else value,
        )


def save_bytes(content: bytes, file: Path | None) -> None:
    """Write a document or picture to a file or to standard output.

    Raises:
        CliError: it is a picture, and standard output is a terminal.
    """
    if file is not None:
        file.write_bytes(content)
        return print_done(f"{len(content)} bytes are in {file}")
    if sys.stdout.isatty() and b"\0" in content:
        raise CliError("This is no text: name a file with --file", status=2)
    sys.stdout.buffer.write(content)
    return None
