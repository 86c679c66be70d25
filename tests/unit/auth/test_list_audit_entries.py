"""The audit log as administrators read it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from proximity.auth.v1 import auth_service_pb2 as pb

from services.auth.domain.entities import NewAuditEntry
from tests.fakes.auth_server import Client, bearer, refused

AT = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


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


async def test_entries_name_the_ids_of_what_they_are_about(client: Client) -> None:
    root = await client.register("root")
    texts = {
        "app web-1a2b3c4d, backup 7": [("app", "web-1a2b3c4d"), ("backup", "7")],
        "web-1a2b3c4d: KEY, OTHER": [("app", "web-1a2b3c4d")],
        "web-1a2b3c4d (container 105 of host 2)": [
            ("app", "web-1a2b3c4d"),
            ("container", "105"),
            ("host", "2"),
        ],
        "API token 3": [("token", "3")],
        "user 12, apps to user 3": [("user", "12"), ("user", "3")],
        "2 anonymous calls: auth.Login": [],
        "": [],
    }
    for number, text in enumerate(texts):
        await client.auth.stores.audit.append(make_entry(number, text))
    listed = await client.public.ListAuditEntries(
        pb.ListAuditEntriesRequest(action="apps.Test"), metadata=bearer(root.access)
    )
    shown = {one.target: [(each.kind, each.id) for each in one.targets] for one in listed.entries}
    assert shown == texts


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("web-1a2b3c4d", {0, 1, 2}),
        ("backup 7", {0}),
        ("7", {0}),
        ("app", {0, 3}),
        ("app web-1a2b3c4d", {0}),
        ("web-1a2b3c4", set()),
        ("100%", {4}),
        ("1_0", set()),
        ("container 105", {2}),
    ],
)
async def test_entries_are_found_by_whole_words_of_their_target(
    client: Client, target: str, found: set[int]
) -> None:
    root = await client.register("root")
    texts = (
        "app web-1a2b3c4d, backup 7",
        "web-1a2b3c4d: KEY",
        "web-1a2b3c4d (container 105 of host 2)",
        "app other-1a2b3c4d, backup 77",
        "100% of it",
    )
    for number, text in enumerate(texts):
        await client.auth.stores.audit.append(make_entry(number, text))
    request = pb.ListAuditEntriesRequest(action="apps.Test", target=target)
    listed = await client.public.ListAuditEntries(request, metadata=bearer(root.access))
    assert {texts.index(one.target) for one in listed.entries} == found
    assert listed.total == len(found)


async def test_entries_since_a_time_are_listed(client: Client) -> None:
    root = await client.register("root")
    for number in range(3):
        await client.auth.stores.audit.append(make_entry(number, "app web-1a2b3c4d"))
    request = pb.ListAuditEntriesRequest(action="apps.Test")
    request.since.FromDatetime(AT + timedelta(minutes=1))
    listed = await client.public.ListAuditEntries(request, metadata=bearer(root.access))
    assert [one.timestamp.ToDatetime(UTC) for one in listed.entries] == [
        AT + timedelta(minutes=2),
        AT + timedelta(minutes=1),
    ]


def make_entry(number: int, target: str) -> NewAuditEntry:
    """An entry of the minute `number`."""
    return NewAuditEntry(
        message_id=f"m{number}",
        timestamp=AT + timedelta(minutes=number),
        user_id=1,
        username="root",
        action="apps.Test",
        target=target,
        address="127.0.0.1",
        outcome="OK",
    )


async def test_pages_behind_an_entry_stay_while_new_entries_come(client: Client) -> None:
    root = await client.register("root")
    for number in range(5):
        await client.auth.stores.audit.append(make_entry(number, f"app {number}"))
    seen: list[str] = []
    after = 0
    while True:
        request = pb.ListAuditEntriesRequest(action="apps.Test", per_page=2, after=after)
        page = await client.public.ListAuditEntries(request, metadata=bearer(root.access))
        if not page.entries:
            break
        seen += [one.target for one in page.entries]
        after = page.entries[-1].id
        await client.auth.stores.audit.append(make_entry(100 + len(seen), "meanwhile"))
    assert seen == [f"app {number}" for number in reversed(range(5))]
    both = pb.ListAuditEntriesRequest(page=1, after=1)
    code, error = await refused(client.public.ListAuditEntries(both, metadata=bearer(root.access)))
    assert code == "INVALID_ARGUMENT"
    assert "either page or after" in (error.details() or "")
