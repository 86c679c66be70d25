"""Accounts that administrators create."""

from __future__ import annotations

from pathlib import Path

from proximity.auth.v1 import auth_service_pb2 as pb
from proximity.auth.v1 import user_pb2

from tests.fakes.auth_server import (
    NEW,
    PASSWORD,
    Client,
    bearer,
    list_violations,
    make_settings,
    redeem,
    refused,
    run,
)


async def test_administrators_make_accounts_while_registration_is_closed(state: Path) -> None:
    named = {"PROXIMITY_ADMIN_USERNAME": "root", "PROXIMITY_ADMIN_PASSWORD": PASSWORD, "DEBUG": "False"}
    async with run(make_settings(state, **named)) as client:
        root = await client.sign_in("root")
        assert (await refused(client.register("alice")))[0] == "PERMISSION_DENIED"
        request = pb.CreateUserRequest(username="alice", password=NEW, quota=user_pb2.Quota(cores=3))
        made = await client.public.CreateUser(request, metadata=bearer(root.access))
        assert (made.is_staff, made.quota.cores) == (False, 3)
        await client.sign_in("alice", NEW)
        without = pb.CreateUserRequest(username="bob", is_staff=True)
        bob = await client.public.CreateUser(without, metadata=bearer(root.access))
        assert bob.is_staff
        assert (await refused(client.sign_in("bob", "!")))[0] == "UNAUTHENTICATED"
        issued = await client.create_reset_link(root, bob.id)
        assert issued.link.startswith("/api/auth/redeem#")
        await client.public.ResetPassword(redeem(issued.token))
        assert (await client.sign_in("bob", NEW)).user.is_staff
        assert (await refused(client.public.CreateUser(request, metadata=bearer(root.access))))[
            0
        ] == "ALREADY_EXISTS"


async def test_refused_fields_are_named(client: Client) -> None:
    root = await client.register("root")
    for request, field in (
        (pb.CreateUserRequest(username="a b"), "username"),
        (pb.CreateUserRequest(username="alice", password="short"), "password"),
        (pb.CreateUserRequest(username="alice", quota=user_pb2.Quota(cores=-1)), "quota.cores"),
    ):
        code, error = await refused(client.public.CreateUser(request, metadata=bearer(root.access)))
        assert (code, list_violations(error)) == ("INVALID_ARGUMENT", [field])
