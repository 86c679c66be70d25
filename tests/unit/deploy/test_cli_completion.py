"""Every argument and option that names something is completed in the shell, by what the platform has."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from proximity.apps.v1 import app_pb2, apps_service_pb2
from proximity.backups.v1 import backup_pb2, backups_service_pb2
from proximity_cli import candidates, completion
from proximity_cli.completion import complete, complete_field
from proximity_cli.failures import CliError
from proximity_cli.rpcs import find_method

from tests.unit.deploy.command_tree import COMMANDS

# What nothing can complete, by reason. Files are completed by the shell itself, forms of output by typer.
_WITHOUT = {
    "a new name": "hostname name new_hostname notes to username",
    "an amount": """cores default_cpu_cores default_disk_gb default_memory_mb default_swap_mb disk jitter_minutes
        keep_daily keep_hourly keep_last keep_monthly keep_weekly keep_yearly limit lines max_kept max_policies memory
        min_interval_minutes number port port_to_expose quota refresh_hours restore_test_minutes ssh_port
        window_minutes""",
    "a place in a list": "after before",
    "a time": "expires_at restore_test_hours schedule since",
    "an address": """default_dns_primary default_dns_secondary default_gateway default_subnet host location network_cidr
        ssh_addresses url""",
    "a secret, or what identifies one": """fingerprint link password password1 password2 pin ssh_key token token_id
        token_secret""",
    "names with values": "config env environment pairs user_networks",
    "text": "avatar bio email first_name last_name preferred_theme q search target user",
    "listed by no RPC": "archive revision",
}
REASONS = {name: reason for reason, names in _WITHOUT.items() for name in names.split()}
EXCEPTIONS = {("change", "secret")}  # NAME=true or NAME=false; of `set` it is a name


def list_parameters() -> list[tuple[str, Any]]:
    return [
        (words, parameter)
        for words, command in COMMANDS.items()
        for parameter in command.params
        if not getattr(parameter, "is_flag", False)
    ]


def is_completed(parameter: Any) -> bool:
    """Whether a parameter is completed: by this program, or by its type (paths and fixed choices)."""
    described = parameter.type_descriptor
    return bool(parameter._custom_shell_complete or described.is_path or described.is_choice)


def test_every_parameter_is_completed_or_has_a_reason() -> None:
    parameters = list_parameters()
    missing = [
        f"{words}: {each.name}"
        for words, each in parameters
        if not is_completed(each) and each.name not in REASONS and (words, each.name) not in EXCEPTIONS
    ]
    assert missing == []
    used = {each.name for _, each in parameters if not is_completed(each)}
    assert set(REASONS) - used == set(), "reasons for what is completed, or not there any more"


def find_field(method: str, name: str) -> Any:
    return find_method(method).input_type.fields_by_name[name]


@pytest.mark.parametrize(
    ("method", "name", "wanted"),
    [
        ("apps.AppsService.GetApp", "app_id", candidates.list_apps),
        ("backups.BackupsService.GetBackup", "app_id", candidates.list_backed_up_apps),
        ("backups.BackupsService.ListBackups", "app_id", candidates.list_apps),
        ("catalog.CatalogService.GetItem", "app_id", candidates.list_items),
        ("inventory.HostService.GetHost", "id", candidates.list_hosts),
        ("inventory.HostService.GetNodeMetrics", "id", candidates.list_node_ids),
        ("auth.AuthService.DeleteApiToken", "id", candidates.list_tokens),
        ("apps.AppsService.GetOperation", "operation_id", candidates.list_operations),
        ("apps.AppsService.ReplayOperation", "operation_id", candidates.list_app_dead_letters),
    ],
)
def test_a_field_is_completed_by_what_it_names(
    monkeypatch: pytest.MonkeyPatch, method: str, name: str, wanted: object
) -> None:
    readers: list[object] = []
    monkeypatch.setattr(completion, "complete", readers.append)
    complete_field(find_field(method, name))
    assert readers == [wanted]


def make_context(**given: object) -> Any:
    return SimpleNamespace(params=given, args=[], command=SimpleNamespace(params=[]))


def test_choices_are_completed_without_the_platform() -> None:
    find = complete_field(find_field("apps.AppsService.GetAppMetrics", "range"))
    assert find is not None
    assert find(make_context(), "m") == [("month", "")]


def test_all_pages_of_apps_are_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [app_pb2.App(id=f"web-{number}", name="x", status="running") for number in range(250)]

    def read(_stub: object, request: Any, _timeout_s: float) -> Any:
        begin = int(request.after.removeprefix("web-") or -1) + 1
        return apps_service_pb2.ListAppsResponse(apps=found[begin : begin + request.per_page])

    platform = SimpleNamespace(read=read, apps=SimpleNamespace(ListApps=None))
    monkeypatch.setattr(completion, "connect", lambda: platform)
    find = completion.complete_apps
    assert find(make_context(), "web-249") == [("web-249", "x, running")]


def test_backups_of_the_app_that_was_given_are_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[backups_service_pb2.ListAllBackupsRequest] = []

    def read(_stub: object, request: Any, _timeout_s: float) -> Any:
        asked.append(request)
        return backups_service_pb2.ListAllBackupsResponse(
            backups=[backup_pb2.Backup(id=7, status="completed")]
        )

    platform = SimpleNamespace(read=read, backups=SimpleNamespace(ListAllBackups=None))
    monkeypatch.setattr(completion, "connect", lambda: platform)
    ((value, text),) = completion.complete_backups(make_context(app_id="web-1"), "")
    assert (value, asked[0].app_id) == ("7", "web-1")
    assert "completed" in text


def test_an_argument_before_an_option_without_its_value_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the value of an option is completed, typer assigns no arguments."""
    seen: list[object] = []
    monkeypatch.setattr(completion, "connect", lambda: None)

    def read(_platform: object, given: Any) -> list[tuple[str, str]]:
        seen.append(given["app_id"])
        return []

    command = COMMANDS["output"]
    with command.make_context("output", ["web-1", "--service"], resilient_parsing=True) as context:
        complete(read)(context, "")
    assert seen == ["web-1"]


def test_names_that_a_shell_would_evaluate_are_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion, "connect", lambda: None)
    find = complete(
        lambda _platform, _given: [("$(id)", "a"), ("a b", "b"), ("web-1", "\\$(id) `id` [bold]\x1b'\"")]
    )
    assert find(make_context(), "") == [("web-1", "id id bold")]


def test_nothing_is_completed_without_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise CliError("Not signed in")

    monkeypatch.setattr(completion, "connect", refuse)
    assert completion.complete_hosts(make_context(), "") == []
