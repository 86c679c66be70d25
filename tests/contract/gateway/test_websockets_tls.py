"""WebSockets between the gateway and a service with mutual TLS: each has to show the certificate of its name."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from gateway.config import Certificate, Endpoint, UpstreamTls
from tests.contract.gateway.certificates import Authority
from tests.contract.gateway.conftest import API_TOKEN
from tests.contract.gateway.echo import PATH, Echo, open_socket
from tests.contract.gateway.envoy import Envoy
from tests.contract.gateway.stub import Backend


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("inner"))


def make_context(authority: Authority, certificate: Certificate) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.chain))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(certificate.chain, certificate.key)
    return context


@pytest.fixture(scope="module", params=["apps", "somebody-else"])
def name(request: pytest.FixtureRequest) -> str:
    """Whom the certificate of the service names."""
    return str(request.param)


@pytest.fixture(scope="module")
def echo(authority: Authority, name: str) -> Iterator[Echo]:
    running = Echo(make_context(authority, authority.issue(name)))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def options(authority: Authority, echo: Echo) -> dict[str, Any]:
    return {
        "websockets": {"apps": (Endpoint("127.0.0.1", echo.port),)},
        "upstream_tls": UpstreamTls(authority.chain, authority.issue("gateway")),
    }


def test_the_service_has_to_show_its_own_certificate(envoy: Envoy, backend: Backend, name: str) -> None:
    assert backend.answers
    if name == "apps":
        with open_socket(envoy, authorization=f"Bearer {API_TOKEN}") as socket:
            assert socket.recv(10).startswith(PATH)
            socket.send(b"typed")
            assert socket.recv(10) == b"typed"
        return
    with pytest.raises(InvalidStatus) as caught:
        open_socket(envoy, authorization=f"Bearer {API_TOKEN}")
    assert caught.value.response.status_code == 503
