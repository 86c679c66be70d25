"""A gateway that insists on https."""

from __future__ import annotations

import ssl
from typing import Any

import httpx
import pytest

from gateway.config import Certificate
from tests.contract.gateway.conftest import Signer, wait_until
from tests.contract.gateway.envoy import Envoy
from tests.contract.gateway.stub import Backend


@pytest.fixture(scope="module")
def options() -> dict[str, Any]:
    return {"require_https": True}


def test_http_is_sent_to_https(client: httpx.Client, envoy: Envoy, backend: Backend) -> None:
    response = client.get("/api/apps?page=2")
    assert response.status_code == 308
    assert response.headers["location"] == f"https://127.0.0.1:{envoy.port}/api/apps?page=2"
    assert client.post("/api/apps", json={}).status_code == 308
    assert not [call for call in backend.calls if call.path.endswith("ListApps")]


def test_https_is_served(envoy: Envoy, certificate: Certificate, backend: Backend) -> None:
    context = ssl.create_default_context(cafile=str(certificate.chain))
    with httpx.Client(verify=context) as client:
        assert client.get(f"https://localhost:{envoy.port}/api/health").status_code == 200
    assert backend.calls[-1].metadata["x-forwarded-proto"] == "https"


def test_the_cookie_of_https_has_the_name_that_only_https_can_set(
    envoy: Envoy, certificate: Certificate, backend: Backend, signer: Signer
) -> None:
    context = ssl.create_default_context(cafile=str(certificate.chain))
    url = f"https://localhost:{envoy.port}/api/apps"
    with httpx.Client(verify=context, timeout=20) as client:

        def answer(cookie: str) -> int:
            return client.get(url, headers={"cookie": cookie}).status_code

        wait_until(lambda: answer(f"__Host-proximity-auth-cookie={signer.sign(exp=1)}") == 401)
        assert answer(f"a=b; __Host-proximity-auth-cookie={signer.sign()}") == 200
        backend.calls.clear()
        assert answer(f"proximity-auth-cookie={signer.sign()}") == 401
        assert not [call for call in backend.calls if call.path.endswith("ListApps")]
