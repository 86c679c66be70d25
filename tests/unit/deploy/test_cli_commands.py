"""The command line has a command for every RPC that the gateway routes, and each takes the common options."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace
from typing import Any

import pytest
from google.api import annotations_pb2
from google.protobuf.message import Message
from proximity.apps.v1 import app_pb2
from proximity.backups.v1 import backup_pb2, backups_service_pb2
from proximity.catalog.v1 import catalog_service_pb2
from proximity.inventory.v1 import inventory_service_pb2, settings_pb2
from proximity_cli import backups
from proximity_cli.__main__ import main
from proximity_cli.output import Output, _output, present, print_done
from proximity_cli.rpcs import find_method, read_all
from proximity_cli.surface import HAND_WRITTEN, RPCS

from gateway.surface import load_surface
from tests.unit.deploy.command_tree import COMMANDS


def test_every_public_rpc_has_a_command() -> None:
    public = {
        method.path[1:].replace("proximity.", "").replace(".v1", "").replace("/", ".")
        for method in load_surface().routed
    }
    carried_out = {**{rpc.method: rpc.command for rpc in RPCS}, **HAND_WRITTEN}
    assert set(carried_out) == public
    assert set(carried_out.values()) <= set(COMMANDS)


# Options of another name than their field; a command reads all pages, and resumes a stream, by itself.
_RENAMED = {"limit": "--lines", "tail": "--lines", "last_event_id": "", "page": "", "per_page": ""}


def list_reads() -> dict[str, set[str]]:
    """Return the commands of RPCs that read by GET, and the options that the fields of their query stand for."""
    carried_out = {**{rpc.method: rpc.command for rpc in RPCS}, **HAND_WRITTEN}
    found: dict[str, set[str]] = {}
    for method, command in carried_out.items():
        described = find_method(method)
        rule = described.GetOptions().Extensions[annotations_pb2.http]
        in_path = {part[1:-1] for part in rule.get.split("/") if part.startswith("{")}
        names = [field.name for field in described.input_type.fields if field.name not in in_path]
        flags = {_RENAMED.get(name, "--" + name.replace("_", "-")) for name in names if rule.get}
        found.setdefault(command, set()).update(flags - {""})
    return {command: flags for command, flags in found.items() if flags}


READS = list_reads()


@pytest.mark.parametrize("words", READS)
def test_every_filter_of_the_api_is_an_option_or_an_argument(words: str) -> None:
    parameters = COMMANDS[words].params
    options = {option for each in parameters for option in each.opts}
    options |= {
        "--" + each.name.replace("_", "-") for each in parameters if each.param_type_name == "argument"
    }
    assert READS[words] <= options


def test_a_filter_reaches_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[backups_service_pb2.ListAllBackupsRequest] = []
    answer = backups_service_pb2.ListAllBackupsResponse()

    def read(_stub: object, request: backups_service_pb2.ListAllBackupsRequest) -> Any:
        seen.append(request)
        return answer

    platform = SimpleNamespace(find_stub=lambda method: method.name, read=read)
    monkeypatch.setattr(backups, "connect", lambda: platform)
    filters = [
        "--storage",
        "nas",
        "--host-id",
        "2",
        "--policy-id",
        "3",
        "--app-removed",
        "--since",
        "2026-11-30T00:00:00Z",
    ]
    assert main(["backups", "list", "web-1", "--status", "missing", "--no-protected", *filters]) == 0
    (request,) = seen
    assert (request.app_id, request.status, request.storage, request.host_id) == (
        "web-1",
        "missing",
        "nas",
        2,
    )
    assert (request.policy_id, request.app_removed, request.protected) == (3, True, False)
    assert request.since.ToJsonString() == "2026-11-30T00:00:00Z"
    assert (request.page, request.HasField("page")) == (1, True)


def test_a_list_behind_an_entry_is_read_without_numbers_of_pages() -> None:
    entries = [backup_pb2.Backup(id=number) for number in range(250, 0, -1)]

    def read(_stub: object, request: backups_service_pb2.ListAllBackupsRequest) -> Any:
        assert not request.HasField("page"), "the platform refuses page beside after"
        page = [each for each in entries if each.id < request.after][: request.per_page]
        return backups_service_pb2.ListAllBackupsResponse(backups=page, total=250)

    platform: Any = SimpleNamespace(find_stub=lambda method: method.name, read=read)
    request = backups_service_pb2.ListAllBackupsRequest(after=220)
    found = read_all(platform, find_method("backups.BackupsService.ListAllBackups"), request)
    assert [each.id for each in found] == list(range(219, 0, -1))


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


@pytest.mark.parametrize(("answer", "status"), [("", 2), ("n\n", 1)])
def test_what_destroys_is_confirmed_on_standard_error(
    answer: str, status: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Standard output has the answer alone; where nobody can answer, the message names --yes."""
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    assert main(["hosts", "delete", "1", "--json"]) == status
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Forget host 1?" in printed.err
    assert ("--yes" in printed.err) == (status == 2)


@pytest.mark.parametrize(
    ("answer", "names"),
    [
        (catalog_service_pb2.ListCategoriesResponse(categories=["Media", "Tools"]), "Media\nTools\n"),
        (inventory_service_pb2.Health(status="healthy"), ""),
        (settings_pb2.ContainerNetwork(bridge="vmbr0"), "vmbr0\n"),
    ],
)
def test_answers_without_an_id_print_no_blank_line_as_their_name(
    answer: Message, names: str, capsys: pytest.CaptureFixture[str]
) -> None:
    token = _output.set(Output.NAME)
    try:
        present(answer, lambda: None)
    finally:
        _output.reset(token)
    assert capsys.readouterr().out == names


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
