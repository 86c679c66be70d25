"""The end of an API token, and of those that it created."""

from __future__ import annotations

from proximity.auth.v1 import auth_service_pb2 as pb

from tests.fakes.auth_server import Client, bearer, find_reason, refused


async def test_what_an_api_token_made_ends_with_it(client: Client) -> None:
    session = await client.register("root")
    first = await client.create_api_token(session.access, "first", "write")
    child = await client.create_api_token(first.token, "child", "write")
    grandchild = await client.create_api_token(child.token, "grandchild", "write")
    other = await client.create_api_token(session.access, "other", "write")
    assert await client.accepts(grandchild.token)
    request = pb.DeleteApiTokenRequest(id=first.id)
    await client.public.DeleteApiToken(request, metadata=bearer(session.access))
    for token in (first, child, grandchild):
        assert not await client.accepts(token.token)
    assert await client.accepts(other.token)


async def test_a_token_of_another_user_is_not_found(client: Client) -> None:
    root, alice = await client.register("root"), await client.register("alice")
    theirs = await client.create_api_token(alice.access, "ci")
    request = pb.DeleteApiTokenRequest(id=theirs.id)
    code, error = await refused(client.public.DeleteApiToken(request, metadata=bearer(root.access)))
    assert (code, find_reason(error).reason) == ("NOT_FOUND", "API_TOKEN_NOT_FOUND")
    assert await client.accepts(theirs.token)
