"""The audit log as administrators read it."""

from __future__ import annotations

from proximity.auth.v1 import auth_service_pb2 as pb

from tests.fakes.auth_server import Client, bearer, refused


async def test_sign_ins_and_changes_are_in_the_audit_log(client: Client) -> None:
    root = await client.register("root")
    await refused(client.public.Login(pb.LoginRequest(username="root", password="wrong")))
    request = pb.ListAuditEntriesRequest(action="auth.Login")
    listed = await client.public.ListAuditEntries(request, metadata=bearer(root.access))
    assert [(entry.outcome, entry.target) for entry in listed.entries] == [("UNAUTHENTICATED", "user root")]
    request = pb.ListAuditEntriesRequest(user="root")
    listed = await client.public.ListAuditEntries(request, metadata=bearer(root.access))
    assert [entry.action for entry in listed.entries] == ["auth.RegisterUser"]
    assert await client.auth.stores.audit.verify() == 2


async def test_entries_come_newest_first_page_by_page_and_to_administrators_alone(client: Client) -> None:
    root, alice = await client.register("root"), await client.register("alice")
    request = pb.ListAuditEntriesRequest(page=2, per_page=1)
    page = await client.public.ListAuditEntries(request, metadata=bearer(root.access))
    assert ([entry.username for entry in page.entries], page.total) == (["root"], 2)
    code, _ = await refused(client.public.ListAuditEntries(request, metadata=bearer(alice.access)))
    assert code == "PERMISSION_DENIED"
