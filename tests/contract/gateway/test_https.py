"""A gateway that insists on https."""

from __future__ import annotations

import ssl
from typing import Any

import httpx
import pytest

from gateway.config import Certificate
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
