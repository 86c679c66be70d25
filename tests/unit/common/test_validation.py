"""A fault on a field names the field and the value, and never a secret."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from proximity.apps.v1 import apps_service_pb2 as apps
from proximity.auth.v1 import auth_service_pb2 as auth
from proximity.backups.v1 import backups_service_pb2 as backups
from proximity.inventory.v1 import container_service_pb2 as containers
from proximity.inventory.v1 import inventory_service_pb2 as inventory
from proximity.inventory.v1 import settings_pb2 as settings

from services.common.core.errors import InvalidError
from services.common.rpc.interceptors.validation import check_message


def faults(message: object) -> dict[str, str]:
    with pytest.raises(InvalidError) as caught:
        check_message(message)  # type: ignore[arg-type]
    return {violation.field: violation.description for violation in caught.value.violations}


def test_every_fault_is_reported_at_once() -> None:
    found = faults(apps.DeployAppRequest(hostname="A", network_cidr="10.0.0.1"))
    assert set(found) == {"catalog_id", "hostname", "network_cidr"}
    assert "'A'" in found["hostname"]


def test_a_valid_request_passes() -> None:
    check_message(apps.DeployAppRequest(catalog_id="adminer", hostname="web-01", network_cidr="10.0.0.5/24"))


@pytest.mark.parametrize("hostname", ["ab", "-ab", "ab-", "a_b", "A-b", "a" * 64, "a b", "a\nb"])
def test_hostnames_are_labels(hostname: str) -> None:
    assert "hostname" in faults(apps.DeployAppRequest(catalog_id="adminer", hostname=hostname))


def test_secrets_are_not_shown() -> None:
    found = faults(auth.LoginRequest(username="admin", password="hunter2" * 200))
    assert "hunter2" not in found["password"]


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_only_grpc_carries_are_refused(number: float) -> None:
    message = apps.DeployAppRequest(catalog_id="adminer", hostname="web-01")
    message.config.update({"memory": 512, "deep": {"list": [1, {"a": number}]}})
    message.ports.number_value = number
    assert set(faults(message)) == {"config", "ports"}
    networks = settings.UpdateNetworkSettingsRequest()
    networks.user_networks.append(number)
    assert "user_networks" in faults(networks)


@pytest.mark.parametrize(("seconds", "nanos"), [(2**62, 0), (-(2**62), 0), (0, 2_000_000_000), (0, -1)])
def test_times_that_only_grpc_carries_are_refused(seconds: int, nanos: int) -> None:
    message = auth.CreateApiTokenRequest(name="ci")
    message.expires_at.seconds, message.expires_at.nanos = seconds, nanos
    assert set(faults(message)) == {"expires_at"}


def test_absent_optional_fields_are_not_checked() -> None:
    check_message(settings.UpdateResourceSettingsRequest())


@pytest.mark.parametrize(("cores", "valid"), [(0, False), (1, True), (128, True), (129, False)])
def test_numbers_have_bounds(cores: int, *, valid: bool) -> None:
    message = settings.UpdateResourceSettingsRequest(default_cpu_cores=cores)
    if valid:
        check_message(message)
    else:
        assert str(cores) in faults(message)["default_cpu_cores"]


def test_words_come_from_their_list() -> None:
    assert "explode" in faults(apps.PerformAppActionRequest(app_id="x", action="explode"))["action"]


@pytest.mark.parametrize("environment", [{"THEME": "dark\0LD_PRELOAD=/x"}, {"THEME\0": "dark"}])
def test_an_entry_of_a_map_does_not_begin_another_one(environment: dict[str, str]) -> None:
    found = faults(apps.UpdateAppRequest(app_id="a-1", environment=environment))
    assert "U+0000" in found["environment.THEME" + (" " if "THEME\0" in environment else "")]


ODD_CHARACTERS = ["\n", "\r", "\t", "\x1b", "\x7f", "\x9b", "\u2028", "\u202e", "\u2066"]


@pytest.mark.parametrize("odd", ODD_CHARACTERS)
@pytest.mark.parametrize(
    ("message", "field"),
    [
        (apps.DeployAppRequest(catalog_id="whoami", hostname="web", name="a{}b"), "name"),
        (apps.UpdateAppRequest(app_id="a-1", name="a{}b"), "name"),
        (auth.CreateApiTokenRequest(name="a{}b"), "name"),
        (auth.UpdateCurrentUserRequest(first_name="a{}b"), "first_name"),
        (backups.CreateBackupRequest(app_id="a-1", notes="a{}b"), "notes"),
        (inventory.CreateHostRequest(name="a{}b", host="pve", password="secret"), "name"),
        (containers.CreateContainerRequest(owner="a-1", hostname="web", entrypoint="a{}b"), "entrypoint"),
    ],
    ids=lambda each: each if isinstance(each, str) else type(each).__name__,
)
def test_a_text_of_one_line_holds_no_character_that_acts(message: Any, field: str, odd: str) -> None:
    request = type(message)()
    request.CopyFrom(message)
    setattr(request, field, getattr(message, field).format(odd))
    assert f"U+{ord(odd):04X}" in faults(request)[field]
    setattr(request, field, "Zoë's app \N{GREEN APPLE} שלום")
    check_message(request)


@pytest.mark.parametrize(
    "blank", [" ", "\u3000", "\u200b", "\u00ad\ufeff", "\u2800", "\u3164", "\u034f", "\ufe0f\u0301"]
)
def test_a_name_of_which_nothing_can_be_seen_is_refused(blank: str) -> None:
    for request in (
        apps.DeployAppRequest(catalog_id="whoami", hostname="web", name=blank),
        apps.UpdateAppRequest(app_id="a-1", name=blank),
        auth.CreateApiTokenRequest(name=blank),
        inventory.CreateHostRequest(name=blank, host="pve", password="secret"),
        inventory.UpdateHostRequest(name=blank),
    ):
        assert faults(request)["name"] == "must not be blank"


def test_values_of_an_environment_may_have_lines_and_nothing_else() -> None:
    good = apps.UpdateAppRequest(app_id="a-1", environment={"KEY": "-----BEGIN-----\n\tabc\n"})
    check_message(good)
    for odd in ("\r", "\x1b", "\x7f", "\x0b"):
        bad = apps.UpdateAppRequest(app_id="a-1", environment={"KEY": f"a{odd}b"})
        assert "control character" in faults(bad)["environment.KEY"]
    assert faults(apps.UpdateAppRequest(app_id="a-1", environment={"A\nB": "c"}))


def test_texts_of_several_lines_say_so() -> None:
    check_message(auth.UpdateCurrentUserRequest(bio="first\n\tsecond"))
    assert "U+001B" in faults(auth.UpdateCurrentUserRequest(bio="\x1b[2J"))["bio"]


@given(st.text(max_size=80))
def test_no_text_breaks_the_check(text: str) -> None:
    with contextlib.suppress(InvalidError):
        check_message(apps.DeployAppRequest(catalog_id=text, hostname=text, network_cidr=text, name=text))


@pytest.mark.parametrize(
    "address",
    [
        'https://x/"><script>',
        "https://x/'a",
        "https://x/<b>",
        "https://x/a b",
        "https://x/a\\b",
        "https://x/`a`",
        "https://x\x7f/",
        "javascript:alert(1)",
        "https:///a",
    ],
)
def test_what_no_uri_has_unescaped_is_refused(address: str) -> None:
    with pytest.raises(InvalidError, match="avatar"):
        check_message(auth.UpdateCurrentUserRequest(avatar=address))


@pytest.mark.parametrize(
    "address",
    [
        "",
        "https://example.org/a.png?s=1&t=%22#f",
        "http://[2001:db8::1]:8080/~a/(b)",
        "https://bücher.example/ä",
    ],
)
def test_an_ordinary_uri_is_taken(address: str) -> None:
    check_message(auth.UpdateCurrentUserRequest(avatar=address))


@pytest.mark.parametrize(
    "email", ['"a"@example.org', "<a>@example.org", "a@<b>.org", 'a@b.org">', "a@b.c,d@e.f"]
)
def test_markup_in_an_email_address_is_refused(email: str) -> None:
    with pytest.raises(InvalidError, match="email"):
        check_message(auth.UpdateCurrentUserRequest(email=email))


@pytest.mark.parametrize(
    ("scope", "sentence"),
    [
        ("reed", "'reed' is not one of: read, write, admin; did you mean read?"),
        ("everything", "'everything' is not one of: read, write, admin"),
    ],
)
def test_a_choice_that_is_unknown_names_all_once_and_the_nearest(scope: str, sentence: str) -> None:
    with pytest.raises(InvalidError) as refusal:
        check_message(auth.CreateApiTokenRequest(name="x", scopes=[scope]))
    assert refusal.value.message == f"scopes[0]: {sentence}"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "password"),
        ({"token_id": "t"}, "password"),
        ({"password": "p", "token_id": "t"}, "token_secret"),
        ({"password": "p", "token_secret": "s"}, "token_id"),
        ({"password": "p"}, None),
        ({"token_id": "t", "token_secret": "s"}, None),
    ],
)
def test_fields_that_need_each_other_are_refused_alone(given: dict[str, Any], field: str | None) -> None:
    request = inventory.CreateHostRequest(name="pve", host="pve", **given)
    if field is None:
        check_message(request)
    else:
        assert field in faults(request)


def test_a_place_for_a_new_app_needs_its_hostname() -> None:
    request = backups.RestoreBackupRequest(app_id="a-1", backup_id=1, node="pve1", host_id=2)
    assert set(faults(request)) == {"node", "host_id"}
    request.new_hostname = "beside"
    check_message(request)
