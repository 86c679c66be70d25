"""The gateway refuses what is plainly bad, and leaves the rest to the services."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.surface import Method, load_surface
from tests.contract.gateway.conftest import API_TOKEN, GET_JWKS, Signer, wait_until
from tests.contract.gateway.refusals import check_error
from tests.contract.gateway.requests import answer_event, fill_path
from tests.contract.gateway.stub import Backend

FOREIGN = Ed25519PrivateKey.generate()
GUARDED = [m for m in load_surface().routed if m.bindings and m.access != "public" and m.owner != "auth"]
OPEN = [m for m in load_surface().routed if m.bindings and (m.access == "public" or m.owner == "auth")]


def carry_in_header(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def carry_in_cookie(token: str) -> dict[str, str]:
    return {"cookie": f"csrftoken=x; proximity-auth-cookie={token}; other=y"}


@pytest.fixture
def rest(anonymous: httpx.Client, signer: Signer) -> httpx.Client:
    """A client of a gateway that has fetched auth's keys."""

    def knows_keys() -> bool:
        token = signer.sign(key=FOREIGN)
        return anonymous.get("/api/apps", headers=carry_in_header(token)).status_code == 401

    wait_until(knows_keys)
    return anonymous


def reached(backend: Backend) -> bool:
    return any(call.path.endswith("ListApps") for call in backend.calls)


@pytest.mark.parametrize("carry", [carry_in_header, carry_in_cookie])
def test_a_good_token_passes_and_is_handed_on(
    rest: httpx.Client, backend: Backend, signer: Signer, carry: Any
) -> None:
    headers = carry(signer.sign())
    assert rest.get("/api/apps", headers=headers).status_code == 200
    metadata = backend.calls[-1].metadata
    assert {name: metadata.get(name) for name in headers} == headers


def forge_none(signer: Signer) -> str:
    return signer.sign(algorithm="none")


def forge_payload(signer: Signer) -> str:
    head, _, signature = signer.sign().split(".")
    body = json.dumps(
        {"iss": "proximity", "aud": "proximity", "sub": "1", "exp": int(time.time()) + 60}
    ).encode()
    return ".".join((head, base64.urlsafe_b64encode(body).decode().rstrip("="), signature))


BAD = {
    "expired": lambda signer: signer.sign(exp=int(time.time()) - 300),
    "not yet valid": lambda signer: signer.sign(nbf=int(time.time()) + 3600),
    "without end": lambda signer: signer.sign(exp=None),
    "for somebody else": lambda signer: signer.sign(aud="others"),
    "for nobody": lambda signer: signer.sign(aud=None),
    "of another issuer": lambda signer: signer.sign(iss="others"),
    "signed by another key": lambda signer: signer.sign(key=FOREIGN),
    "unsigned": forge_none,
    "with another payload": forge_payload,
    "no token at all": lambda _signer: "abc",
    "three words": lambda _signer: "a.b.c",
}


@pytest.mark.parametrize("carry", [carry_in_header, carry_in_cookie])
@pytest.mark.parametrize("make", BAD.values(), ids=BAD.keys())
def test_a_bad_token_is_refused(
    rest: httpx.Client, backend: Backend, signer: Signer, make: Any, carry: Any
) -> None:
    backend.calls.clear()
    response = rest.get("/api/apps", headers=carry(make(signer)))
    check_error(response, 401, "UNAUTHENTICATED")
    assert response.headers["www-authenticate"] == "Bearer"
    assert not reached(backend)


def test_an_expired_token_is_called_so(rest: httpx.Client, signer: Signer) -> None:
    body = rest.get("/api/apps", headers=carry_in_header(signer.sign(exp=1))).json()
    assert body["error"] == "The access token has expired"


def test_the_public_key_is_no_secret_to_sign_with(
    rest: httpx.Client, backend: Backend, signer: Signer
) -> None:
    """It may reach the service, which knows one algorithm; the gateway must not vouch for it."""
    body = {"iss": "proximity", "aud": "proximity", "sub": "1", "exp": int(time.time()) + 60}
    secret = signer.key.public_key().public_bytes_raw() + b"0" * 32
    token = jwt.encode(body, secret, algorithm="HS256", headers={"kid": "k1"})
    rest.get("/api/apps", headers=carry_in_header(token))
    for call in backend.calls:
        assert not [name for name in call.metadata if name.startswith("x-jwt")]


def test_the_header_counts_before_the_cookie(rest: httpx.Client, signer: Signer) -> None:
    good, bad = signer.sign(), signer.sign(exp=1)
    assert rest.get("/api/apps", headers=carry_in_header(good) | carry_in_cookie(bad)).status_code == 200
    assert rest.get("/api/apps", headers=carry_in_header(bad) | carry_in_cookie(good)).status_code == 401


def test_the_cookie_of_https_counts_for_nothing_on_http(rest: httpx.Client, signer: Signer) -> None:
    headers = {"cookie": f"__Host-proximity-auth-cookie={signer.sign()}"}
    check_error(rest.get("/api/apps", headers=headers), 401, "UNAUTHENTICATED")


def test_api_tokens_are_the_services_business(rest: httpx.Client, backend: Backend) -> None:
    headers = carry_in_header(API_TOKEN) | {"cookie": "proximity-auth-cookie=stale"}
    assert rest.get("/api/apps", headers=headers).status_code == 200
    assert backend.calls[-1].metadata["authorization"] == f"Bearer {API_TOKEN}"


@pytest.mark.parametrize("value", ["Basic eDp5", "Bearer", "Bearer a b", "prx_abc", ""])
def test_other_schemes_are_refused(rest: httpx.Client, value: str) -> None:
    check_error(rest.get("/api/apps", headers={"authorization": value}), 401, "UNAUTHENTICATED")


def test_an_unknown_key_is_asked_of_the_service(rest: httpx.Client, backend: Backend, signer: Signer) -> None:
    """After a rotation the gateway hears of the new key within a minute; until then the service knows it."""
    token = signer.sign(kid="k2", key=FOREIGN)
    assert rest.get("/api/apps", headers=carry_in_header(token)).status_code == 200
    assert reached(backend)


@pytest.mark.parametrize("method", GUARDED, ids=lambda method: method.name)
def test_nobody_in_particular_is_refused(rest: httpx.Client, backend: Backend, method: Method) -> None:
    path, _ = fill_path(method, method.bindings[0])
    backend.calls.clear()
    json_body: Any = {} if method.bindings[0].body else None
    response = rest.request(method.bindings[0].method, path, json=json_body)
    body = check_error(response, 401, "UNAUTHENTICATED")
    assert body["error"] == "Authentication credentials were not provided"
    assert not [call for call in backend.calls if call.path == method.path]


@pytest.mark.parametrize("method", OPEN, ids=lambda method: method.name)
@pytest.mark.parametrize("headers", [{}, carry_in_header("stale"), carry_in_cookie("stale")])
def test_what_is_public_or_of_auth_is_reached(
    rest: httpx.Client, backend: Backend, method: Method, headers: dict[str, str]
) -> None:
    if method.is_endless:
        backend.answers[method.path] = answer_event("text/plain")
    path, _ = fill_path(method, method.bindings[0])
    json_body: Any = {} if method.bindings[0].body else None
    assert rest.request(method.bindings[0].method, path, json=json_body, headers=headers).status_code < 300
    assert [call for call in backend.calls if call.path == method.path]


def test_keys_are_fetched_from_auth_once_for_many(
    rest: httpx.Client, backend: Backend, signer: Signer
) -> None:
    backend.key_fetches.clear()
    for _ in range(10):
        rest.get("/api/apps", headers=carry_in_header(signer.sign(sub=str(_))))
    assert len(backend.key_fetches) <= 2
    assert not [call for call in backend.calls if call.path == GET_JWKS]
