"""What a foreign page, a clever client or a lying proxy may try: cookies, headers, paths, bodies."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest
import requests

from tests.e2e.stack import PASSWORD, USERNAME, RunningStack
from tests.security.principals import GOOD_PASSWORD, register, sign_in

FOREIGN_PAGE_ADDRESS = "127.20.0.12"

JSON = dict[str, Any]


@pytest.fixture(scope="module")
def browser(stack: RunningStack) -> requests.Session:
    """Signed in by cookies."""
    made, _ = register(stack)
    session = requests.Session()
    body = {"username": made["user"]["username"], "password": GOOD_PASSWORD}
    session.post(f"{stack.url}/api/auth/login", json=body, timeout=20).raise_for_status()
    return session


def change_profile(stack: RunningStack, browser: requests.Session, **headers: str) -> int:
    answer = browser.patch(
        f"{stack.url}/api/auth/user", json={"bio": uuid.uuid4().hex}, headers=headers, timeout=10
    )
    return answer.status_code


def test_a_write_by_cookie_needs_the_token_and_a_page_of_ours(
    stack: RunningStack, browser: requests.Session
) -> None:
    token = browser.cookies["csrftoken"]
    assert change_profile(stack, browser) == 403
    assert change_profile(stack, browser, **{"X-CSRFToken": "x" * len(token)}) == 403
    assert change_profile(stack, browser, **{"X-CSRFToken": ""}) == 403
    for origin in ("https://evil.example", "null", f"http://127.0.0.1.evil.example:{stack.port}"):
        assert change_profile(stack, browser, **{"X-CSRFToken": token, "Origin": origin}) == 403
    forged = {"X-CSRFToken": token, "Origin": "https://evil.example", "X-Forwarded-Host": "evil.example"}
    assert change_profile(stack, browser, **forged) == 403
    assert change_profile(stack, browser, **{"X-CSRFToken": token, "Origin": stack.url}) == 200
    assert browser.get(f"{stack.url}/api/auth/user", timeout=10).status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_form_of_a_foreign_page_is_no_request(stack: RunningStack, kind: str) -> None:
    body = b'{"username": "admin", "password": "x"}'
    answer = requests.post(
        f"{stack.url}/api/auth/login", data=body, headers={"Content-Type": kind}, timeout=10
    )
    assert answer.status_code == 415


@pytest.mark.parametrize("path", ["login", "registration", "token/refresh", "logout"])
@pytest.mark.parametrize("where", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_a_foreign_page_signs_nobody_in_or_out(stack: RunningStack, path: str, where: JSON) -> None:
    """Also where the form is empty, and what it says stands in the query."""
    query = f"username=admin&password={GOOD_PASSWORD}"
    headers = where | {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": "0"}
    answer = requests.post(f"{stack.url}/api/auth/{path}?{query}", headers=headers, timeout=10)
    assert answer.status_code in {400, 403, 415}
    assert "set-cookie" not in answer.headers
    body = {"username": "admin", "password": "first-of-many-9"}
    answer = requests.post(f"{stack.url}/api/auth/{path}", json=body, headers=where, timeout=10)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_the_cookies_of_a_session_cannot_be_read_or_sent_by_others(stack: RunningStack) -> None:
    body = {"username": "admin", "password": "first-of-many-9"}
    answer = requests.post(
        f"https://localhost:{stack.port}/api/auth/login",
        json=body,
        verify=str(stack.state / "keys" / "gateway.crt"),
        timeout=20,
    )
    cookies = {line.partition("=")[0]: line for line in answer.raw.headers.getlist("set-cookie")}
    assert set(cookies) == {
        "__Host-proximity-auth-cookie",
        "__Secure-proximity-refresh-cookie",
        "__Host-csrftoken",
    }
    for name, line in cookies.items():
        assert "SameSite=Lax" in line
        assert "Secure" in line
        assert "Domain=" not in line
        assert name.startswith("__Secure-") or "Path=/;" in line
        assert ("HttpOnly" in line) == (name != "__Host-csrftoken")
    assert "Path=/api/auth;" in cookies["__Secure-proximity-refresh-cookie"]


def test_the_sessions_of_both_schemes_stand_beside_each_other(stack: RunningStack) -> None:
    """A browser lets http overwrite no Secure cookie, and knows no ports: the names must differ."""
    session = requests.Session()
    session.trust_env = False  # certificates that the environment names would count before ours
    session.verify = str(stack.state / "keys" / "gateway.crt")
    secure, plain = f"https://localhost:{stack.port}/api", f"http://localhost:{stack.port}/api"
    names = {secure: "__Host-csrftoken", plain: "csrftoken"}
    for base in (secure, plain):
        body = {"username": USERNAME, "password": PASSWORD}
        session.post(f"{base}/auth/login", json=body, timeout=20).raise_for_status()
        assert session.get(f"{base}/auth/user", timeout=10).status_code == 200
    for base in (plain, secure):
        headers = {"X-CSRFToken": session.cookies[names[base]]}
        assert session.get(f"{base}/apps", timeout=10).status_code == 200
        assert session.patch(f"{base}/auth/user", json={"bio": "x"}, timeout=10).status_code == 403
        patched = session.patch(f"{base}/auth/user", json={"bio": "x"}, headers=headers, timeout=10)
        assert patched.status_code == 200
        refreshed = session.post(f"{base}/auth/token/refresh", json={}, headers=headers, timeout=10)
        assert refreshed.status_code == 200
    left = session.post(
        f"{plain}/auth/logout", headers={"X-CSRFToken": session.cookies["csrftoken"]}, timeout=10
    )
    assert left.status_code == 200
    assert session.get(f"{plain}/auth/user", timeout=10).status_code == 401
    assert session.get(f"{secure}/auth/user", timeout=10).status_code == 200


def test_a_cookie_that_a_sibling_domain_or_http_planted_counts_for_nothing_on_https(
    stack: RunningStack,
) -> None:
    access = sign_in(stack)["access"]
    cookie = f"proximity-auth-cookie={access}; csrftoken=t"
    for path in ("auth/user", "apps"):
        answer = requests.get(
            f"https://localhost:{stack.port}/api/{path}",
            headers={"Cookie": cookie},
            verify=str(stack.state / "keys" / "gateway.crt"),
            timeout=10,
        )
        assert answer.status_code == 401


@pytest.mark.parametrize(
    "header",
    [
        "X-JWT-Payload",
        "X-JWT-Claim-Sub",
        "X-Proximity-User",
        "X-Remote-User",
        "X-Forwarded-User",
        "X-User-Id",
    ],
)
def test_headers_that_name_a_user_make_nobody_one(stack: RunningStack, header: str) -> None:
    for value in ("1", "admin", '{"sub":"1","staff":true}', "eyJzdWIiOiIxIiwic3RhZmYiOnRydWV9"):
        answer = requests.get(f"{stack.url}/api/auth/user", headers={header: value}, timeout=10)
        assert answer.status_code == 401


def test_a_client_chooses_no_status_and_no_upstream(stack: RunningStack) -> None:
    headers = {
        "X-HTTP-Code": "200",
        "X-Envoy-Original-Path": "/api/health",
        "X-Original-URL": "/api/health",
        "X-Rewrite-URL": "/api/health",
        "X-Envoy-Upstream-Rq-Timeout-Ms": "1",
        "X-HTTP-Method-Override": "DELETE",
    }
    answer = requests.get(f"{stack.url}/api/apps", headers=headers, timeout=10)
    assert answer.status_code == 401
    assert "x-http-code" not in answer.headers


def test_an_address_that_a_client_claims_is_not_believed(stack: RunningStack) -> None:
    name = f"nobody{uuid.uuid4().hex[:8]}"
    headers = {
        "X-Forwarded-For": "203.0.113.77",
        "X-Real-IP": "203.0.113.77",
        "Forwarded": "for=203.0.113.77",
    }
    body = {"username": name, "password": "wrong-Password-1"}
    requests.post(f"{stack.url}/api/auth/login", json=body, headers=headers, timeout=20)
    entries = stack.sign_in().send("GET", "/auth/audit?action=auth.Login&per_page=20")["entries"]
    mine = [entry for entry in entries if name in entry["target"]]
    assert [entry["address"] for entry in mine] == ["127.0.0.1"]


@pytest.mark.parametrize("path", ["login", "registration", "register", "logout", "token/refresh"])
def test_an_empty_form_with_an_account_in_the_query_is_no_request(stack: RunningStack, path: str) -> None:
    """A page of another site can send it without asking first, and would sign its visitor in to its own account."""
    session, _ = register(stack)
    query = {"username": session["user"]["username"], "password": GOOD_PASSWORD}
    # Anonymous calls of one address are audited up to a limit, which other tests need.
    transport = httpx.HTTPTransport(local_address=FOREIGN_PAGE_ADDRESS)
    with httpx.Client(transport=transport, timeout=10) as client:
        for kind, status in (
            ("application/x-www-form-urlencoded", 415),
            ("application/json", 400),
            ("", 400),
        ):
            headers = {"Origin": "https://evil.example"} | ({"Content-Type": kind} if kind else {})
            answer = client.post(f"{stack.url}/api/auth/{path}", params=query, headers=headers)
            assert answer.status_code in {status, 403}, answer.text
            assert not answer.cookies
