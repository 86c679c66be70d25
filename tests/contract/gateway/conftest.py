"""One set of stub servers for all modules; one Envoy for each module."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from gateway.config import Certificate, Endpoint, GatewaySettings
from tests.contract.gateway.certificates import Authority
from tests.contract.gateway.envoy import Envoy
from tests.contract.gateway.stub import Backend, Context, get_type

API_TOKEN = "prx_" + "0123456789_abcdef-0123456789abcdef0123456789"[:43]
GET_JWKS = "/proximity.auth.v1.AuthService/GetJwks"


class Signer:
    """The signing key of auth."""

    def __init__(self) -> None:
        self.key = Ed25519PrivateKey.generate()

    def sign(self, *, key: Any = None, algorithm: str = "EdDSA", kid: str = "k1", **claims: Any) -> str:
        """Return a token that is good but for what the arguments say; a claim that is None is left out."""
        now = int(time.time())
        body = {"iss": "proximity", "aud": "proximity", "sub": "7", "iat": now, "exp": now + 3600} | claims
        body = {name: value for name, value in body.items() if value is not None}
        used: Any = None if algorithm == "none" else key or self.key
        return jwt.encode(body, used, algorithm=algorithm, headers={"kid": kid})

    async def answer(self, _request: Any, _context: Context) -> Any:
        """Answer GetJwks."""
        x = json.loads(OKPAlgorithm.to_jwk(self.key.public_key()))["x"]
        key = get_type("proximity.auth.v1.Jwk")(
            kty="OKP", crv="Ed25519", kid="k1", x=x, alg="EdDSA", use="sig"
        )
        return get_type("proximity.auth.v1.Jwks")(keys=[key])


@pytest.fixture(scope="session")
def signer() -> Signer:
    return Signer()


@pytest.fixture(scope="session")
def running_backend() -> Iterator[Backend]:
    backend = Backend()
    backend.start()
    yield backend
    backend.stop()


@pytest.fixture
def backend(running_backend: Backend, signer: Signer) -> Backend:
    running_backend.reset()
    running_backend.answers[GET_JWKS] = signer.answer
    return running_backend


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    authority = Authority(tmp_path_factory.mktemp("tls"))
    issued = authority.issue("localhost")
    issued.chain.write_bytes(issued.chain.read_bytes() + authority.chain.read_bytes())
    return issued


@pytest.fixture(scope="module")
def options() -> dict[str, Any]:
    """Settings that a module wants otherwise."""
    return {}


@pytest.fixture(scope="module")
def envoy(
    running_backend: Backend,
    signer: Signer,
    certificate: Certificate,
    options: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Envoy]:
    running_backend.answers[GET_JWKS] = signer.answer
    settings: dict[str, Any] = {
        "endpoints": {owner: (Endpoint("127.0.0.1", port),) for owner, port in running_backend.ports.items()},
        "listen": Endpoint("127.0.0.1", 0),
        "admin": Endpoint("127.0.0.1", 0),
        "certificate": certificate,
        "requests_per_second": 0,
        "cors_origins": ("https://app.example.org",),
    }
    running = Envoy(GatewaySettings(**settings | options), tmp_path_factory.mktemp("envoy"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def shared_client(envoy: Envoy) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=envoy.url, timeout=20, verify=False) as client:
        yield client


@pytest.fixture
def anonymous(shared_client: httpx.Client, backend: Backend) -> httpx.Client:
    """A REST client without credentials, in front of freshly reset stubs."""
    shared_client.cookies.clear()
    shared_client.headers.pop("authorization", None)
    return shared_client


@pytest.fixture
def client(anonymous: httpx.Client) -> httpx.Client:
    """A REST client that the gateway lets through."""
    anonymous.headers["authorization"] = f"Bearer {API_TOKEN}"
    return anonymous


def wait_until(condition: Callable[[], bool], *, seconds: float = 120) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)
