"""The user and the scopes of an API token, for the other services."""

from __future__ import annotations

from proximity.auth.v1 import auth_service_pb2 as pb

from services.auth.store.tables import api_tokens, users
from services.common.core.clock import now
from tests.fakes.auth_server import Client, bearer, find_reason, refused


async def test_services_and_nobody_else_ask_whose_a_token_is(client: Client) -> None:
    root = await client.register("root")
    token = await client.create_api_token(root.access, "ci", "read", "write")
    as_apps = bearer(client.sign_as("apps"))
    request = pb.AuthenticateApiTokenRequest(token=token.token)
    found = await client.internal.AuthenticateApiToken(request, metadata=as_apps)
    assert (found.username, list(found.scopes), found.token_id) == ("root", ["read", "write"], token.id)
    for credentials in (bearer(root.access), ()):
        code, _ = await refused(client.internal.AuthenticateApiToken(request, metadata=credentials))
        assert code in {"PERMISSION_DENIED", "UNAUTHENTICATED"}


async def test_unknown_ended_and_deactivated_tokens_are_refused(client: Client) -> None:
    root, alice = await client.register("root"), await client.register("alice")
    expired = await client.create_api_token(root.access, "expired")
    orphan = await client.create_api_token(alice.access, "ci")
    await client.write(api_tokens.update().where(api_tokens.c.id == expired.id).values(expires_at=now()))
    await client.write(users.update().where(users.c.id == alice.user.id).values(is_active=False))
    as_apps = bearer(client.sign_as("apps"))
    for token in (expired.token, orphan.token, "prx_unknown", "no-prefix", root.access):
        request = pb.AuthenticateApiTokenRequest(token=token)
        code, error = await refused(client.internal.AuthenticateApiToken(request, metadata=as_apps))
        assert (code, find_reason(error).reason) == ("UNAUTHENTICATED", "API_TOKEN_INVALID")
