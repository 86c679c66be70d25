"""Behind another proxy, and with mutual TLS to the services."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import pytest

from gateway.config import UpstreamTls
from gateway.surface import load_surface
from tests.contract.gateway.certificates import Authority
from tests.contract.gateway.conftest import wait_until
from tests.contract.gateway.stub import Backend
from tests.contract.gateway.test_errors import check_error


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("services"))


def make_credentials(authority: Authority, name: str) -> grpc.ServerCredentials:
    certificate = authority.issue(name)
    pair = (certificate.key.read_bytes(), certificate.chain.read_bytes())
    return grpc.ssl_server_credentials([pair], authority.chain.read_bytes(), require_client_auth=True)


@pytest.fixture(scope="module")
def running_backend(authority: Authority) -> Iterator[Backend]:
    """Services with certificates; that of backups is made out to somebody else."""
    owners = load_surface().owners
    names = {owner: "somebody-else" if owner == "backups" else owner for owner in owners}
    backend = Backend(credentials={owner: make_credentials(authority, name) for owner, name in names.items()})
    backend.start()
    yield backend
    backend.stop()


@pytest.fixture(scope="module")
def options(authority: Authority) -> dict[str, Any]:
    return {"upstream_tls": UpstreamTls(authority.chain, authority.issue("gateway")), "trusted_proxies": 1}


def test_services_are_reached_with_certificates(client: httpx.Client) -> None:
    for path in ("/api/apps", "/api/catalog", "/api/auth/user", "/api/health"):
        assert client.get(path).status_code == 200


def test_a_service_with_a_foreign_name_is_not_trusted(client: httpx.Client, backend: Backend) -> None:
    check_error(client.get("/api/apps/web-1/backups"), 503, "UNAVAILABLE")
    assert not [call for call in backend.calls if call.owner == "backups"]


def test_keys_are_fetched_with_certificates_too(anonymous: httpx.Client, backend: Backend) -> None:
    wait_until(lambda: any(call.path.endswith("GetJwks") for call in backend.calls))


def test_the_proxy_before_us_says_who_called(client: httpx.Client, backend: Backend) -> None:
    headers = {"x-forwarded-for": "6.6.6.6, 198.51.100.7", "x-forwarded-proto": "https"}
    assert client.get("/api/apps", headers=headers).status_code == 200
    metadata = backend.calls[-1].metadata
    assert metadata["x-forwarded-for"] == "198.51.100.7"
    assert metadata["x-forwarded-proto"] == "https"
