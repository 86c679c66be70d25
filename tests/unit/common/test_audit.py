"""Anonymous callers cannot fill the audit log: what is beyond a limit is counted."""

from __future__ import annotations

import asyncio
from collections import Counter

from services.common.identity.tokens import Caller, User
from services.common.rpc.call import Call
from services.common.rpc.interceptors.audit import (
    PER_ACTION,
    PER_ADDRESS,
    PER_WINDOW,
    AnonymousLimit,
    LimitedAudit,
)

ALICE = Caller(user=User(7, "alice", is_staff=False), session="s")


class RecordingAudit:
    """Remembers what was recorded."""

    def __init__(self) -> None:
        self.recorded: list[tuple[str, str, str, str]] = []
        self.expected: list[str] = []

    def expect(self, call: Call, *, action: str) -> None:
        self.expected.append(action)

    async def record(self, call: Call, *, action: str, outcome: str) -> None:
        self.recorded.append((action, outcome, call.address, call.audit_target))

    async def run(self) -> None:
        await asyncio.Event().wait()


def call_from(address: str, caller: Caller | None = None) -> Call:
    call = Call("/a.B/C", {"x-envoy-external-address": address})
    if caller is not None:
        call.caller = caller
    return call


async def flood(audit: LimitedAudit, address: str, number: int, *, action: str = "auth.Logout") -> None:
    for _ in range(number):
        await audit.record(call_from(address), action=action, outcome="UNAUTHENTICATED")


async def end_window(audit: LimitedAudit, inner: RecordingAudit) -> None:
    """Run until the entry that counts is there."""
    running, before = asyncio.create_task(audit.run()), len(inner.recorded)
    async with asyncio.timeout(60):
        while len(inner.recorded) == before:  # noqa: ASYNC110 - the window decides
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.wait({running})


async def test_calls_beyond_the_limit_of_an_address_become_one_entry_that_counts_them() -> None:
    inner = RecordingAudit()
    audit = LimitedAudit(inner, service="auth", window_s=0.05)
    await flood(audit, "192.0.2.1", PER_ACTION + 7)
    await flood(audit, "192.0.2.2", 3)
    assert len(inner.recorded) == PER_ACTION + 3
    await end_window(audit, inner)
    wanted = ("auth.UnrecordedCalls", "RESOURCE_EXHAUSTED", "192.0.2.1", "7 anonymous calls: 7 x auth.Logout")
    assert inner.recorded[-1] == wanted
    assert len(inner.recorded) == PER_ACTION + 4
    await flood(audit, "192.0.2.1", 1)
    assert inner.recorded[-1][0] == "auth.Logout"  # the next window begins anew


async def test_users_and_services_are_always_recorded_and_changes_expected() -> None:
    inner = RecordingAudit()
    audit = LimitedAudit(inner, service="apps")
    for caller in (ALICE, Caller(service="backups")):
        for _ in range(PER_ACTION + 5):
            await audit.record(call_from("192.0.2.1", caller), action="apps.DeployApp", outcome="OK")
    assert len(inner.recorded) == 2 * (PER_ACTION + 5)
    audit.expect(call_from("192.0.2.1"), action="auth.Login")
    assert inner.expected == ["auth.Login"]


async def test_the_addresses_of_one_ipv6_customer_count_together() -> None:
    inner = RecordingAudit()
    audit = LimitedAudit(inner, service="auth")
    for number in range(PER_ACTION + 20):
        await flood(audit, f"2001:db8::{number + 1:x}", 1)
    assert len(inner.recorded) == PER_ACTION


def test_no_address_and_no_number_of_addresses_gets_more_than_its_share() -> None:
    limit = AnonymousLimit()
    admitted = sum(limit.admits("192.0.2.1", f"apps.Rpc{number % 60}") for number in range(5000))
    assert admitted == PER_ADDRESS
    admitted += sum(limit.admits(f"address {number}", "auth.Login") for number in range(30_000))
    assert admitted == PER_WINDOW
    counts = list(limit.take_counts())
    assert len(counts) <= 21
    assert sum((each for _, each in counts), Counter()).total() == 35_000 - PER_WINDOW
    assert limit.admits("192.0.2.1", "auth.Login")
