"""The command line has a command for every RPC that the gateway routes, and each takes the common options."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main
from proximity.apps.v1 import app_pb2
from proximity_cli.__main__ import build_app, main
from proximity_cli.output import Output, _output, present, print_done
from proximity_cli.surface import HAND_WRITTEN, RPCS

from gateway.surface import load_surface


def list_commands() -> dict[str, Any]:
    def walk(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        for name, child in getattr(command, "commands", {}).items():
            yield from walk(child, (*words, name))
        if not hasattr(command, "commands"):
            yield " ".join(words), command

    return dict(walk(typer.main.get_command(build_app()), ()))


COMMANDS = list_commands()


def test_every_public_rpc_has_a_command() -> None:
    public = {
        method.path[1:].replace("proximity.", "").replace(".v1", "").replace("/", ".")
        for method in load_surface().routed
    }
    carried_out = {**{rpc.method: rpc.command for rpc in RPCS}, **HAND_WRITTEN}
    assert set(carried_out) == public
    assert set(carried_out.values()) <= set(COMMANDS)


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_chooses_the_form_of_its_output(words: str) -> None:
    options = {option for parameter in COMMANDS[words].params for option in parameter.opts}
    if words != "import-django":  # another program
        assert {"--output", "-o", "--json"} <= options
        assert COMMANDS[words].help, words


@pytest.mark.parametrize("arguments", [["-h"], ["hosts", "-h"], ["hosts", "add", "-h"], ["--version"]])
def test_help_and_version_end_with_0(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["change", "a-1", "--environment", "PLAIN"], "--environment: 'PLAIN' is not NAME=VALUE"),
        (["settings", "set-network", "--user-networks", "{"], "--user-networks: '{' is not JSON"),
        (["change", "a-1", "--memory", "99999999999"], "memory"),
    ],
)
def test_values_that_cannot_be_read_are_named(
    arguments: list[str], fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert fault in capsys.readouterr().err


def test_a_file_that_cannot_be_read_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hosts", "add", "pve", "192.0.2.1", "--password", "@/nonexistent/secret"]) == 1
    assert "/nonexistent/secret: No such file or directory" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("output", "printed"),
    [("table", "\u2713 done\n"), ("name", "a-1\n"), ("json", None), ("yaml", None)],
)
def test_an_answer_is_printed_in_the_chosen_form(
    output: str, printed: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    app = app_pb2.App(id="a-1", name="Wiki")
    app.config.update({"memory": 2048})
    token = _output.set(Output(output))
    try:
        present(app, lambda: print_done("done"))
    finally:
        _output.reset(token)
    out = capsys.readouterr().out
    if printed is not None:
        assert out == printed
    elif output == "json":
        assert json.loads(out)["config"] == {"memory": 2048}
        assert '"memory": 2048\n' in out
    else:
        assert "memory: 2048\n" in out
