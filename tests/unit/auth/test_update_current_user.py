"""The profile of the caller."""

from __future__ import annotations

import pytest
from google.protobuf.empty_pb2 import Empty
from proximity.auth.v1 import auth_service_pb2 as pb

from tests.fakes.auth_server import Client, bearer, find_reason, list_violations, refused


async def test_only_the_sent_fields_of_the_own_profile_change(client: Client) -> None:
    root, alice = await client.register("root"), await client.register("alice")
    as_alice = {"metadata": bearer(alice.access)}
    request = pb.UpdateCurrentUserRequest(bio="hello", email="a@example.org", preferred_theme="dark")
    await client.public.UpdateCurrentUser(request, **as_alice)
    me = await client.public.UpdateCurrentUser(pb.UpdateCurrentUserRequest(first_name="Alice"), **as_alice)
    assert (me.bio, me.email, me.preferred_theme, me.first_name) == (
        "hello",
        "a@example.org",
        "dark",
        "Alice",
    )
    assert await client.public.UpdateCurrentUser(pb.UpdateCurrentUserRequest(), **as_alice) == me
    other = await client.public.GetCurrentUser(Empty(), metadata=bearer(root.access))
    assert (other.bio, other.email) == ("", "")


async def test_an_address_belongs_to_one_account_whatever_its_case(client: Client) -> None:
    root, alice = await client.register("root"), await client.register("alice")
    first = pb.UpdateCurrentUserRequest(email="Admin@example.org")
    await client.public.UpdateCurrentUser(first, metadata=bearer(root.access))
    await client.public.UpdateCurrentUser(first, metadata=bearer(root.access))  # one's own is not taken
    second = pb.UpdateCurrentUserRequest(email="admin@EXAMPLE.org")
    code, error = await refused(client.public.UpdateCurrentUser(second, metadata=bearer(alice.access)))
    assert (code, find_reason(error).reason) == ("ALREADY_EXISTS", "EMAIL_TAKEN")


async def test_an_address_that_is_too_long_in_its_unique_form_is_refused(client: Client) -> None:
    session = await client.register("root")
    request = pb.UpdateCurrentUserRequest(email="\ufdfa" * 240 + "@a.bc")
    code, error = await refused(client.public.UpdateCurrentUser(request, metadata=bearer(session.access)))
    assert (code, list_violations(error)) == ("INVALID_ARGUMENT", ["email"])


@pytest.mark.parametrize("field", ["first_name", "last_name"])
async def test_a_name_of_a_person_is_empty_or_can_be_seen(client: Client, field: str) -> None:
    session = await client.register("root")
    as_root = {"metadata": bearer(session.access)}
    for blank in ("  ", "\u3000", "\u200b"):
        request = pb.UpdateCurrentUserRequest(**{field: blank})
        code, error = await refused(client.public.UpdateCurrentUser(request, **as_root))
        assert (code, list_violations(error)) == ("INVALID_ARGUMENT", [field])
    await client.public.UpdateCurrentUser(pb.UpdateCurrentUserRequest(**{field: ""}), **as_root)
