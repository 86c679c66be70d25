"""Accounts as administrators list them."""

from __future__ import annotations

from proximity.auth.v1 import auth_service_pb2 as pb

from tests.fakes.auth_server import Client, bearer, refused


async def test_an_administrator_lists_and_searches_all_users_page_by_page(client: Client) -> None:
    root = await client.register("root")
    for name in ("alice", "bob", "Alina"):
        await client.register(name)
    as_root = {"metadata": bearer(root.access)}
    page = await client.public.ListUsers(pb.ListUsersRequest(page=2, per_page=3), **as_root)
    assert ([user.username for user in page.users], page.total, page.page, page.per_page) == (
        ["Alina"],
        4,
        2,
        3,
    )
    found = await client.public.ListUsers(pb.ListUsersRequest(search="AL"), **as_root)
    assert ([user.username for user in found.users], found.total) == (["alice", "Alina"], 2)
    assert (await client.public.ListUsers(pb.ListUsersRequest(search="%"), **as_root)).total == 0


async def test_an_ordinary_user_lists_nobody(client: Client) -> None:
    await client.register("root")
    alice = await client.register("alice")
    code, _ = await refused(client.public.ListUsers(pb.ListUsersRequest(), metadata=bearer(alice.access)))
    assert code == "PERMISSION_DENIED"
