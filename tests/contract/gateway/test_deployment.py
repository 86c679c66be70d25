"""Behind another proxy, and with mutual TLS to the services."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from gateway.config import UpstreamTls
from gateway.surface import load_surface
from tests.contract.gateway.certificates import Authority
from tests.contract.gateway.conftest import Signer, wait_until
from tests.contract.gateway.refusals import check_error
from tests.contract.gateway.stub import Backend


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
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "access.log"


@pytest.fixture(scope="module")
def options(authority: Authority, log: Path) -> dict[str, Any]:
    return {
        "access_log": str(log),
        "upstream_tls": UpstreamTls(authority.chain, authority.issue("gateway")),
        "trusted_proxies": 1,
    }


def test_services_are_reached_with_certificates(client: httpx.Client) -> None:
    for path in ("/api/apps", "/api/catalog", "/api/auth/user", "/api/health"):
        assert client.get(path).status_code == 200


def test_a_service_with_a_foreign_name_is_not_trusted(client: httpx.Client, backend: Backend) -> None:
    check_error(client.get("/api/apps/web-1/backups"), 503, "UNAVAILABLE")
    assert not [call for call in backend.calls if call.owner == "backups"]


def test_keys_are_fetched_with_certificates_too(anonymous: httpx.Client, backend: Backend) -> None:
    wait_until(lambda: any(call.path.endswith("GetJwks") for call in backend.key_fetches))


def test_the_proxy_before_us_says_who_called(client: httpx.Client, backend: Backend) -> None:
    headers = {"x-forwarded-for": "6.6.6.6, 198.51.100.7", "x-forwarded-proto": "https"}
    assert client.get("/api/apps", headers=headers).status_code == 200
    metadata = next(call.metadata for call in reversed(backend.calls) if call.path.endswith("ListApps"))
    assert metadata["x-forwarded-for"] == "198.51.100.7"
    assert metadata["x-forwarded-proto"] == "https"


def test_the_log_says_who_did_what_and_no_secrets(client: httpx.Client, signer: Signer, log: Path) -> None:
    token = signer.sign(sub="41")

    def is_logged() -> bool:
        client.get("/api/apps/?search=hunter2", headers={"authorization": f"Bearer {token}"})
        return any(json.loads(line)["user"] == "41" for line in log.read_text().splitlines())

    wait_until(is_logged)
    text = log.read_text()
    line = next(line for line in map(json.loads, text.splitlines()) if line["user"] == "41")
    assert (line["method"], line["path"], line["status"]) == ("GET", "/api/apps/", 200)
    assert line["request_id"]
    for secret in ("hunter2", token, token.split(".")[2]):
        assert secret not in text
