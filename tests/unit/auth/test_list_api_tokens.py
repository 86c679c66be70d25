"""The API tokens of the caller."""

from __future__ import annotations

from google.protobuf.empty_pb2 import Empty

from services.common.core.clock import now
from tests.fakes.auth_server import Client, bearer, refused


async def test_a_user_sees_the_own_tokens_without_their_secret_newest_first(client: Client) -> None:
    root, alice = await client.register("root"), await client.register("alice")
    await client.create_api_token(alice.access, "theirs")
    first = await client.create_api_token(root.access, "first", "read", "write")
    second = await client.create_api_token(root.access, "second")
    listed = await client.public.ListApiTokens(Empty(), metadata=bearer(root.access))
    assert [(token.name, list(token.scopes)) for token in listed.tokens] == [
        ("second", ["read"]),
        ("first", ["read", "write"]),
    ]
    assert listed.total == 2
    for secret in (first.token, second.token):
        assert secret not in str(listed)
    assert (await refused(client.public.ListApiTokens(Empty())))[0] == "UNAUTHENTICATED"


async def test_the_use_of_a_token_is_shown(client: Client) -> None:
    session = await client.register("root")
    token = (await client.create_api_token(session.access, "ci")).token
    listed = await client.public.ListApiTokens(Empty(), metadata=bearer(session.access))
    assert not listed.tokens[0].HasField("last_used_at")
    assert await client.accepts(token)
    listed = await client.public.ListApiTokens(Empty(), metadata=bearer(session.access))
    assert abs(listed.tokens[0].last_used_at.ToSeconds() - now().timestamp()) < 60
