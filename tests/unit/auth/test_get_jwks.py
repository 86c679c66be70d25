"""The public keys of access tokens."""

from __future__ import annotations

from datetime import timedelta

import jwt
from google.protobuf.empty_pb2 import Empty

from services.auth.store.tables import signing_keys
from services.common.core.clock import now
from tests.fakes.auth_server import Client


async def test_an_access_token_says_what_every_service_verifies(client: Client) -> None:
    session = await client.register("root")
    jwks = await client.public.GetJwks(Empty())
    header = jwt.get_unverified_header(session.access)
    assert (header["alg"], header["kid"]) == ("EdDSA", jwks.keys[0].kid)
    key = jwt.PyJWK({"kty": "OKP", "crv": "Ed25519", "x": jwks.keys[0].x, "alg": "EdDSA"})
    claims = jwt.decode(session.access, key, algorithms=["EdDSA"], audience="proximity", issuer="proximity")
    assert claims["exp"] - claims["iat"] == session.expires_in == 3600
    assert (claims["sub"], claims["name"], claims["staff"], claims["typ"]) == ("1", "root", True, "access")


async def test_a_rotated_key_is_published_beside_the_one_that_is_used(client: Client) -> None:
    session = await client.register("root")
    await client.auth.keys.rotate(signs_before=now())
    jwks = await client.public.GetJwks(Empty())
    assert len({key.kid for key in jwks.keys}) == 2
    assert jwt.get_unverified_header(session.access)["kid"] == jwks.keys[0].kid
    assert {(key.kty, key.crv, key.alg, key.use) for key in jwks.keys} == {("OKP", "Ed25519", "EdDSA", "sig")}
    assert not any("d" in key.DESCRIPTOR.fields_by_name for key in jwks.keys)  # no private half


async def test_a_key_is_not_published_after_its_last_token(client: Client) -> None:
    await client.write(signing_keys.update().values(expires_at=now() - timedelta(seconds=1)))
    await client.auth.keys.load()
    fresh = await client.public.GetJwks(Empty())
    assert len(fresh.keys) == 1
