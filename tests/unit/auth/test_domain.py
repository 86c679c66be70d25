"""Passwords, limits, the chain of the audit log, addresses, cookies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from gateway import filters
from services.auth.convert.fields import parse_time
from services.auth.domain.audit import FIRST_HASH, hash_entry, verify_chain
from services.auth.domain.entities import AuditEntry, NewAuditEntry, Registration
from services.auth.domain.errors import AuditBrokenError
from services.auth.domain.limits import Attempts, Limit, count_attempt
from services.auth.domain.names import normalize_name
from services.auth.domain.passwords import find_faults
from services.auth.domain.registration import RegistrationPolicy, find_registration_faults
from services.auth.handlers import cookies
from services.common.core.errors import InvalidError
from services.common.rpc.call import (
    ACCESS_COOKIE,
    Call,
    name_cookie,
    parse_address,
    parse_cookies,
    parse_network,
)

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
LIMIT = Limit("login-account", 3, timedelta(seconds=60))


@pytest.mark.parametrize(
    ("password", "fault"),
    [
        ("short1!", "too short"),
        ("password", "too common"),
        ("Passw0rd123!", "too common"),
        ("aaaaaaaaaaaa", "too common"),
        ("83746152901", "all digits"),
        ("caroline.smith", "like the username"),
        ("htims.eniloraC", "like the username"),
        ("CarolineSmith1", "like the username"),
    ],
)
def test_a_bad_password_is_refused_and_not_repeated(password: str, fault: str) -> None:
    faults = find_faults(password, "caroline.smith")
    assert any(fault in found for found in faults)
    assert not any(password in found for found in faults)


@pytest.mark.parametrize("password", ["Correct-Horse-9", "zebra quilt lantern", "пароль-Ж7-дуб"])
def test_a_good_password_has_no_fault(password: str) -> None:
    assert find_faults(password, "caroline.smith") == []


def test_names_are_equal_whatever_their_case_and_form() -> None:
    assert normalize_name("STRASSE") == normalize_name("straße")
    assert normalize_name("\uff41lice") == normalize_name("Alice")


@pytest.mark.parametrize(("username", "email"), [("\ufdfa" * 150, ""), ("alice", "\ufdfa" * 240 + "@a.bc")])
def test_names_that_become_too_long_in_their_unique_form_are_refused(username: str, email: str) -> None:
    """One such sign stands for a sentence of 18: the column would not take it."""
    registration = Registration(
        username=username,
        email=email,
        password="zebra quilt lantern",
        password_field="password",
        repeated="",
        first_name="",
        last_name="",
    )
    (fault,) = find_registration_faults(registration)
    assert fault.field == ("email" if email else "username")
    assert "at most 600" in fault.description


def test_a_time_beyond_all_years_is_refused_by_its_field() -> None:
    with pytest.raises(InvalidError, match=r"expires_at: .* is no time"):
        parse_time(Timestamp(seconds=10**15), "expires_at")


def count(times: int, moment: datetime = MOMENT) -> Attempts:
    attempts: Attempts | None = None
    for _ in range(times):
        attempts = count_attempt(attempts, LIMIT, moment=moment)
    assert attempts is not None
    return attempts


def test_some_attempts_are_free_then_each_doubles_the_wait_up_to_the_longest() -> None:
    waits = [(count(times).blocked_until - MOMENT).total_seconds() for times in range(1, 12)]
    assert waits == [0, 0, 0, 2, 4, 8, 16, 32, 60, 60, 60]


def test_attempts_are_forgotten_after_a_while() -> None:
    later = MOMENT + LIMIT.forget + timedelta(seconds=61)
    assert count_attempt(count(9), LIMIT, moment=later).count == 1
    assert count_attempt(count(9), LIMIT, moment=MOMENT + timedelta(minutes=1)).count == 10


def make_chain(length: int) -> list[AuditEntry]:
    entries: list[AuditEntry] = []
    previous = FIRST_HASH
    for number in range(1, length + 1):
        new = NewAuditEntry(
            message_id=f"m{number}",
            timestamp=MOMENT,
            user_id=1,
            username="root",
            action="apps.DeployApp",
            target=f"app {number}",
            address="192.0.2.1",
            outcome="OK",
        )
        previous = hash_entry(new, number=number, previous=previous)
        entries.append(AuditEntry(**vars(new), id=number, hash=previous))
    return entries


def test_a_chain_that_nobody_touched_is_whole() -> None:
    chain = make_chain(5)
    assert verify_chain(chain) == (chain[-1].hash, 5)


@pytest.mark.parametrize("field", ["message_id", "username", "action", "target", "address", "outcome"])
def test_a_changed_entry_breaks_the_chain(field: str) -> None:
    chain = make_chain(5)
    chain[2] = AuditEntry(**{**vars(chain[2]), field: "changed"})
    with pytest.raises(AuditBrokenError, match="entry 3"):
        verify_chain(chain)


def test_a_changed_time_user_or_missing_entry_breaks_the_chain() -> None:
    for change in ({"user_id": None}, {"timestamp": MOMENT + timedelta(microseconds=1)}):
        chain = make_chain(3)
        chain[0] = AuditEntry(**{**vars(chain[0]), **change})
        with pytest.raises(AuditBrokenError, match="entry 1"):
            verify_chain(chain)
    with pytest.raises(AuditBrokenError, match="entry 2 is missing"):
        verify_chain([*make_chain(1), *make_chain(3)[2:]])


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:192.0.2.7:5123", "192.0.2.7"),
        ("ipv6:%5B2001:db8::1%5D:5123", "2001:db8::1"),
        ("ipv6:[2001:db8::1]:5123", "2001:db8::1"),
        ("192.0.2.7", "192.0.2.7"),
        ("unix:", "unix:"),
    ],
)
def test_an_address_has_no_port(peer: str, address: str) -> None:
    assert parse_address(peer) == address


def test_all_addresses_of_one_ipv6_customer_count_together() -> None:
    assert parse_network("2001:db8::1") == parse_network("2001:db8::ffff:2")
    assert parse_network("2001:db8::1") != parse_network("2001:db8:0:1::1")
    assert parse_network("192.0.2.1") != parse_network("192.0.2.2")


def read_cookie(call: Call, name: str) -> str:
    headers = [value for header, value in call.headers if header == "set-cookie"]
    return next(parse_cookies(value.partition(";")[0])[name] for value in headers if value.startswith(name))


def test_a_csrf_token_that_the_browser_has_stays() -> None:
    first = Call("/a.B/C", {})
    cookies.set_csrf_cookie(first)
    known = read_cookie(first, "csrftoken")
    second = Call("/a.B/C", {"cookie": f"csrftoken={known}"})
    cookies.set_csrf_cookie(second)
    assert read_cookie(second, "csrftoken") == known
    assert "HttpOnly" not in second.headers[0][1]


def test_a_csrf_cookie_of_foreign_form_is_replaced() -> None:
    call = Call("/a.B/C", {"cookie": "csrftoken=x"})
    cookies.set_csrf_cookie(call)
    assert len(read_cookie(call, "csrftoken")) >= 32


def test_signing_out_removes_every_cookie() -> None:
    call = Call("/a.B/C", {"x-forwarded-proto": "https"})
    cookies.clear_session_cookies(call)
    assert {value.partition("=")[0] for _, value in call.headers} == {
        "__Host-proximity-auth-cookie",
        "__Secure-proximity-refresh-cookie",
        "__Host-csrftoken",
    }
    assert all("Max-Age=0" in value and "Secure" in value for _, value in call.headers)


def test_each_scheme_reads_the_cookies_of_its_own() -> None:
    both = {"cookie": "csrftoken=plain; __Host-csrftoken=secure"}
    assert Call("/a.B/C", both).find_cookie("csrftoken") == "plain"
    assert Call("/a.B/C", both | {"x-forwarded-proto": "https"}).find_cookie("csrftoken") == "secure"
    planted = {"cookie": "csrftoken=plain", "x-forwarded-proto": "https"}
    assert Call("/a.B/C", planted).find_cookie("csrftoken") == ""


def test_gateway_and_services_name_the_cookies_alike() -> None:
    assert name_cookie(ACCESS_COOKIE, https=False) == filters.COOKIE
    assert name_cookie(ACCESS_COOKIE, https=True) == filters.HTTPS_COOKIE


@pytest.mark.parametrize(
    ("is_open", "has_admin", "admits"),
    [
        (None, False, True),
        (None, True, False),
        (True, True, True),
        (False, False, False),
    ],
)
def test_registration_is_closed_once_there_is_an_administrator_unless_the_settings_decide(
    is_open: bool | None, has_admin: bool, admits: bool
) -> None:
    assert RegistrationPolicy(is_open=is_open).admits(has_admin=has_admin) is admits
