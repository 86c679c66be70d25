"""The removal of accounts, and the new owner of their apps."""

from __future__ import annotations

from proximity.auth.v1 import auth_service_pb2 as pb
from proximity.auth.v1 import events_pb2

from services.auth.store.tables import outbox
from tests.fakes.auth_server import Client, bearer, find_reason, refused


async def test_the_apps_of_a_deleted_user_go_to_another_active_one(client: Client) -> None:
    root, alice = await client.register("root"), await client.register("alice")
    for heir in (alice.user.id, 99_999):
        request = pb.DeleteUserRequest(id=alice.user.id, apps_to=heir)
        code, error = await refused(client.public.DeleteUser(request, metadata=bearer(root.access)))
        assert (code, "apps_to" in str(error.details())) == ("INVALID_ARGUMENT", True)
    request = pb.DeleteUserRequest(id=alice.user.id, apps_to=root.user.id)
    await client.public.DeleteUser(request, metadata=bearer(root.access))
    rows = await client.auth.runtime.db.read(lambda connection: connection.execute(outbox.select()).all())
    events = [events_pb2.UserDeactivated.FromString(bytes(row.payload)) for row in rows]
    assert [(event.user_id, event.deleted, event.apps_to) for event in events] == [
        (alice.user.id, True, root.user.id)
    ]


async def test_an_unknown_user_and_the_last_administrator_are_not_deleted(client: Client) -> None:
    root, alice = await client.register("root"), await client.register("alice")
    for user_id, wanted in ((99, "USER_NOT_FOUND"), (root.user.id, "LAST_ADMIN")):
        request = pb.DeleteUserRequest(id=user_id)
        _, error = await refused(client.public.DeleteUser(request, metadata=bearer(root.access)))
        assert find_reason(error).reason == wanted
    request = pb.DeleteUserRequest(id=root.user.id)
    code, _ = await refused(client.public.DeleteUser(request, metadata=bearer(alice.access)))
    assert code == "PERMISSION_DENIED"
