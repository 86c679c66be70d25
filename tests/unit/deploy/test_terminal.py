"""Texts of others are shown on a terminal and never act on it."""

from __future__ import annotations

import ast
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from proximity_cli import output
from proximity_cli.terminal import SafeConsole, neutralise
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

ROOT = Path(__file__).parents[3]
ATTACKS = [
    "\x1b[2J",
    "\x1b]0;owned\x07",
    "\x9b31m",
    "\x1bc",
    "\b\b\b\b",
    "a\rb",
    "\x7f",
    "\u202eetalsnart",
    "\u2066a",
]
# What rich itself sends: colours and styles, the cursor and its line.
OWN = re.compile(r"\x1b\[[0-9;]*m|\x1b\[\?25[lh]|\r?\x1b\[[0-9]*[KA]|\r")


def print_cell(console: SafeConsole, text: str) -> None:
    table = Table(title="Apps")
    table.add_column("name")
    table.add_row(escape(text))
    console.print(table)


def print_progress(console: SafeConsole, text: str) -> None:
    with Progress(console=console) as progress:
        progress.update(progress.add_task("waits", total=1), description=escape(text), completed=1)


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize(
    "show",
    [
        lambda console, text: console.print(f"[green]✓[/] {escape(text)}"),
        lambda console, text: console.print(text, markup=False),
        print_cell,
        print_progress,
    ],
    ids=["line", "plain", "table", "progress"],
)
def test_no_control_sequence_but_rich_own_reaches_the_terminal(
    show: Callable[[SafeConsole, str], Any], attack: str
) -> None:
    screen = io.StringIO()
    console = SafeConsole(file=screen, force_terminal=True, width=100, soft_wrap=True)
    show(console, f"web{attack}red")
    sent = OWN.sub("", screen.getvalue())
    assert "web" in sent
    assert neutralise(sent) == sent


@pytest.mark.parametrize("show", [print_cell, print_progress], ids=["table", "progress"])
def test_nothing_is_wrapped_where_the_output_is_no_terminal(
    show: Callable[[SafeConsole, str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    pipe = io.StringIO()
    long_id = "c1." + "loopback-db-" * 40 + "0119f68b"
    show(SafeConsole(file=pipe, soft_wrap=True), long_id)
    assert long_id in pipe.getvalue()
    assert max(len(line) for line in pipe.getvalue().splitlines()) < 2 * len(long_id)


def test_what_is_replaced_can_be_seen() -> None:
    assert neutralise("a\x1b[2J\tb\n\x7f\x9b") == "a␛[2J\tb\n␡�"


@pytest.mark.parametrize("form", ["json", "yaml", "name"])
def test_output_for_programs_holds_no_control(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    from proximity.apps.v1 import app_pb2

    token = output._output.set(output.Output(form))
    try:
        output.present([app_pb2.App(id="a\x1b\x7f\x9b\u202eb")], lambda: None)
    finally:
        output._output.reset(token)
    printed = capsys.readouterr().out
    assert not set("\x1b\x7f\x9b\u202e") & set(printed)
    if form == "json":
        assert '"a\\u001b\\u007f\\u009b\\u202eb"' in printed


@pytest.mark.parametrize("folder", ["clients/python", "deploy"])
def test_every_console_is_a_safe_one(folder: str) -> None:
    for file in sorted((ROOT / folder).rglob("*.py")):
        if file.name == "terminal.py":
            continue
        calls = [node.func for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
        assert not [
            call for call in calls if isinstance(call, ast.Name) and call.id in {"Console", "print"}
        ], file
