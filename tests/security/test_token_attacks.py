"""Tokens that look good and are not, at the gateway and at the services behind it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import jwt
import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from google.protobuf.empty_pb2 import Empty
from proximity.apps.v1 import apps_service_pb2, apps_service_pb2_grpc

from services.common.identity.keys import ServiceSigner, make_service_keys, read_service_keys
from services.common.identity.tokens import User
from tests.e2e.stack import RunningStack
from tests.security.conftest import Platform
from tests.security.principals import register, sign_in

JSON = dict[str, Any]


def encode(part: bytes | JSON) -> str:
    data = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def make_claims(stack: RunningStack) -> tuple[JSON, JSON]:
    """Header and claims of a real administrator's token, good for another hour."""
    access = sign_in(stack)["access"]
    return jwt.get_unverified_header(access), jwt.decode(access, options={"verify_signature": False})


def sign_hmac(header: JSON, claims: JSON, key: bytes) -> str:
    signed = f"{encode(header)}.{encode(claims)}"
    return f"{signed}.{encode(hmac.new(key, signed.encode(), hashlib.sha256).digest())}"


def list_public_keys(stack: RunningStack) -> list[bytes]:
    """The published key in every form that somebody might take for a shared secret."""
    keys = requests.get(f"{stack.url}/api/auth/.well-known/jwks.json", timeout=10).json()["keys"]
    raw = base64.urlsafe_b64decode(keys[0]["x"] + "=")
    public = Ed25519PublicKey.from_public_bytes(raw)
    forms = [(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)]
    return [raw, keys[0]["x"].encode(), *(public.public_bytes(*form) for form in forms)]


def list_forgeries(stack: RunningStack) -> Iterator[tuple[str, str]]:
    header, claims = make_claims(stack)
    for algorithm in ("none", "None", "NONE", ""):
        yield f"alg {algorithm!r}", f"{encode({**header, 'alg': algorithm})}.{encode(claims)}."
    for number, key in enumerate(list_public_keys(stack)):
        yield f"HS256 with public key {number}", sign_hmac({**header, "alg": "HS256"}, claims, key)
    own = Ed25519PrivateKey.generate()
    public = own.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": encode(public)}
    kids = [
        header["kid"],
        "../../../../etc/passwd",
        "/dev/null",
        "",
        "' OR '1'='1",
        "service:",
        "service:auth",
    ]
    kids += ["service:../keys/auth", "service:apps", "x" * 5000]
    for kid in kids:
        yield f"own key as {kid[:30]!r}", sign_own(own, claims, kid=kid)
    yield "own key in the header", sign_own(own, claims, kid=header["kid"], jwk=jwk)
    yield "own key at an address", sign_own(own, claims, kid="k", jku="https://192.0.2.1/jwks.json")
    real = sign_in(stack)["access"]
    begin, _, signature = real.rpartition(".")
    changed = encode({**claims, "sub": "1", "staff": True, "exp": int(time.time()) + 10**6})
    yield "changed claims", f"{begin.partition('.')[0]}.{changed}.{signature}"
    yield "no signature", f"{begin}."
    yield "cut signature", real[:-4]


def sign_own(key: Ed25519PrivateKey, claims: JSON, **header: object) -> str:
    return jwt.encode(claims, key, algorithm="EdDSA", headers=header)


def ask_gateway(stack: RunningStack, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(f"{stack.url}/api/auth/users", headers=headers, timeout=10).status_code


def ask_service(platform: Platform, token: str) -> str:
    """Past the gateway, straight at the service."""
    stub = apps_service_pb2_grpc.AppsServiceStub(platform.channels["apps"])
    metadata = (("authorization", f"Bearer {token}"),)
    try:
        stub.ListApps(apps_service_pb2.ListAppsRequest(), metadata=metadata, timeout=10)
    except grpc.RpcError as error:
        return str(error.code().name)
    return "OK"


def test_no_forged_token_opens_anything(platform: Platform) -> None:
    stack = platform.stack
    opened = [
        name
        for name, token in list_forgeries(stack)
        if ask_gateway(stack, token) not in {401, 431} or ask_service(platform, token) != "UNAUTHENTICATED"
    ]
    assert opened == []
    assert ask_gateway(stack, sign_in(stack)["access"]) == 200


def test_a_refresh_token_and_a_service_token_are_no_access_tokens(platform: Platform) -> None:
    stack = platform.stack
    session = sign_in(stack)
    private, _ = read_service_keys(stack.state / "keys", "apps")
    signer, admin = ServiceSigner("apps", private), User(1, "admin", is_staff=True)
    assert ask_gateway(stack, session["refresh"]) == 401
    assert ask_service(platform, session["refresh"]) == "UNAUTHENTICATED"
    for token in (signer.sign("auth", user=admin), signer.sign("apps", user=admin), signer.sign("apps")):
        assert ask_gateway(stack, token) in {401, 403}
        assert ask_service(platform, token) in {"UNAUTHENTICATED", "PERMISSION_DENIED"}


def test_a_service_key_that_is_not_ours_and_a_token_for_another_service_open_nothing(
    platform: Platform, tmp_path_factory: pytest.TempPathFactory
) -> None:
    foreign = tmp_path_factory.mktemp("foreign")
    make_service_keys(foreign)
    stub = apps_service_pb2_grpc.AppsInternalServiceStub(platform.channels["apps"])
    request = apps_service_pb2.GetAppHoldRequest(app_id=platform.estate.app_id)
    keys = platform.stack.state / "keys"
    stolen, real = read_service_keys(foreign, "backups")[0], read_service_keys(keys, "backups")[0]
    bad = [
        ServiceSigner("backups", stolen).sign("apps"),  # a key of nobody's
        ServiceSigner("backups", real).sign("inventory"),  # for another audience
        ServiceSigner("catalog", real).sign("apps"),  # the name of another
    ]
    for token in bad:
        with pytest.raises(grpc.RpcError) as refused:
            stub.GetAppHold(request, metadata=(("authorization", f"Bearer {token}"),), timeout=10)
        assert refused.value.code() in {
            grpc.StatusCode.UNAUTHENTICATED,
            grpc.StatusCode.PERMISSION_DENIED,
        }
    good = ServiceSigner("backups", real).sign("apps")
    metadata = (("authorization", f"Bearer {good}"),)
    assert stub.GetAppHold(request, metadata=metadata, timeout=10).app_id == platform.estate.app_id


def test_forged_metadata_past_the_gateway_gives_nothing(platform: Platform) -> None:
    stub = apps_service_pb2_grpc.AppsServiceStub(platform.channels["apps"])
    claims = encode({"sub": "1", "name": "admin", "staff": True})
    for name in ("x-jwt-payload", "x-jwt-claim-sub", "x-proximity-user", "x-user-id", "x-envoy-internal"):
        with pytest.raises(grpc.RpcError) as refused:
            stub.ListApps(apps_service_pb2.ListAppsRequest(), metadata=((name, claims),), timeout=10)
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_internal_rpcs_are_not_behind_the_gateway(platform: Platform) -> None:
    private, _ = read_service_keys(platform.stack.state / "keys", "backups")
    token = ServiceSigner("backups", private).sign("inventory")
    with grpc.insecure_channel(f"127.0.0.1:{platform.stack.port}") as channel:
        for name in ("ContainerService/GetDeploymentDefaults", "ContainerService/ListContainers"):
            call = channel.unary_unary(
                f"/proximity.inventory.v1.{name}",
                request_serializer=Empty.SerializeToString,
                response_deserializer=Empty.FromString,
            )
            with pytest.raises(grpc.RpcError) as refused:
                call(Empty(), metadata=(("authorization", f"Bearer {token}"),), timeout=10)
            assert refused.value.code() in {
                grpc.StatusCode.UNIMPLEMENTED,
                grpc.StatusCode.UNAUTHENTICATED,
                grpc.StatusCode.NOT_FOUND,
            }


def test_of_many_refreshes_at_once_all_get_one_successor_and_nothing_after_the_sign_out(
    stack: RunningStack,
) -> None:
    """What comes later than half a minute ends the session: tests/store/test_auth_store.py, with a clock of its own."""
    session, _ = register(stack)

    def refresh(token: str) -> requests.Response:
        return requests.post(f"{stack.url}/api/auth/token/refresh", json={"refresh": token}, timeout=20)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(refresh, [session["refresh"]] * 8))
    assert {answer.status_code for answer in answers} == {200}
    successors = {answer.json()["refresh"] for answer in answers}
    assert len(successors) == 1
    successor = successors.pop()
    assert successor != session["refresh"]
    left = requests.post(f"{stack.url}/api/auth/logout", json={"refresh": successor}, timeout=20)
    assert left.status_code == 200
    assert [refresh(token).status_code for token in (session["refresh"], successor)] == [401, 401]
