"""Reports of mutating calls to auth, which chains them into the audit log.

Anonymous callers could fill the log: of their calls, those beyond a limit are counted (`LimitedAudit`).
"""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

import sqlalchemy as sa
from google.protobuf.message import Message as ProtoMessage
from proximity.auth.v1 import events_pb2

from services.common.core.clock import now
from services.common.core.errors import UnavailableError
from services.common.core.log import get_logger
from services.common.db.database import Database
from services.common.db.transactions import PendingEntry, pending_entry
from services.common.messaging.bus import Message
from services.common.messaging.outbox import add_messages, new_message
from services.common.messaging.streams import AUDIT_RECORDED
from services.common.rpc.call import Call, parse_network
from services.common.rpc.responses.rendered import render_time
from services.common.rpc.server_context import Audit

log = get_logger()

_RETRY_S = 2.0  # between attempts, while the database does not take entries
_MOST_WAITING = 10_000  # 1 KiB each
_TARGETS = (
    ("app_id", "app"),
    ("backup_id", "backup"),
    ("operation_id", "operation"),
    ("source_id", "source"),
    ("host_id", "host"),
    ("vmid", "container"),
    ("id", ""),
    ("catalog_id", "item"),
    ("hostname", "hostname"),
    ("username", "user"),
    ("name", "name"),
)


def find_target(request: ProtoMessage) -> str:
    """Describe the target that a request names, for handlers that name none: `app web-1, backup 7`."""
    named = [(word, getattr(request, field, None)) for field, word in _TARGETS]
    return ", ".join(f"{word} {value}".strip() for word, value in named if value)[:500]


class OutboxAudit:
    """Puts each call into the service's outbox, so that it reaches auth also when NATS is away meanwhile.

    The entry of a call that changes something is in the transaction of the change. A call that was refused, or changed
    nothing, is recorded when it ends. Where the database does not take that, a refusal waits in memory, and a call that
    would have been accepted is refused.
    """

    def __init__(self, db: Database, outbox: sa.Table) -> None:
        self._db = db
        self._outbox = outbox
        self._waiting = WaitingEntries()

    def expect(self, call: Call, *, action: str) -> None:
        """See `Audit.expect`."""

        def write(connection: sa.Connection) -> None:
            message = _build_message(call, action, outcome="OK", message_id=call.audit_id)
            add_messages(connection, self._outbox, messages=[message])

        pending_entry.set(PendingEntry(write))

    async def record(self, call: Call, *, action: str, outcome: str) -> None:
        """See `Audit.record`."""
        entry = pending_entry.get()
        is_recorded = entry is not None and entry.is_written
        if entry is not None:
            entry.is_closed = True
        if is_recorded and outcome in {"OK", "CANCELLED"}:  # a client that disconnected had its change made
            return
        message_id = call.audit_id if outcome == "OK" else uuid.uuid4().hex
        message = _build_message(call, action, outcome=outcome, message_id=message_id)

        async def write() -> None:
            await self._db.write(
                lambda connection: add_messages(connection, self._outbox, messages=[message]), is_final=False
            )

        if outcome == "OK":
            await write()
            return
        user = call.caller.user
        await self._waiting.write(
            write, action=action, outcome=outcome, target=call.audit_target, user_id=user.id if user else None
        )

    async def run(self) -> None:
        """See `Audit.run`."""
        await self._waiting.run()


def _build_message(call: Call, action: str, *, outcome: str, message_id: str) -> Message:
    user = call.caller.user
    event = events_pb2.AuditRecorded(
        id=message_id,
        timestamp=render_time(now()),
        user_id=user.id if user else None,
        username=user.username if user else "",
        action=action,
        target=call.audit_target,
        address=call.address,
        outcome=outcome,
    )
    return new_message(AUDIT_RECORDED, event, message_id=message_id)


class WaitingEntries:
    """Entries that the database did not take: they are in the log at once, and written when it takes them again."""

    def __init__(self) -> None:
        self._entries: deque[tuple[Callable[[], Awaitable[None]], dict[str, object]]] = deque()
        self._wake = asyncio.Event()

    async def write(self, write: Callable[[], Awaitable[None]], **words: object) -> None:
        """Write an entry now, or later if that fails; `words` say in the log what it is about."""
        if self._entries:  # the call does not wait for a database that takes nothing
            self._keep(write, words)
            return
        try:
            await write()
        except UnavailableError as error:
            self._keep(write, {**words, "error": error.message})

    async def run(self) -> None:
        """Write what waits, for ever; what still waits at the end is in the log once more."""
        try:
            while True:
                await self._wake.wait()
                await asyncio.sleep(_RETRY_S)
                await self._write_waiting()
        finally:
            for _, words in self._entries:
                log.error("audit_entry_lost", **words)

    def _keep(self, write: Callable[[], Awaitable[None]], words: dict[str, object]) -> None:
        if len(self._entries) >= _MOST_WAITING:
            log.error("audit_entry_lost", **words)
            return
        log.warning("audit_entry_waits", **words)
        self._entries.append((write, words))
        self._wake.set()

    async def _write_waiting(self) -> None:
        while self._entries:
            try:
                await self._entries[0][0]()
            except UnavailableError:
                return
            self._entries.popleft()
        self._wake.clear()


WINDOW_S = 600.0  # the counts of a flood are in the log ten minutes later at most
PER_ACTION = 30  # of an address in a window: more than a person who mistypes a password makes
PER_ADDRESS = 300  # over all actions: many users may share one address
PER_WINDOW = 3000  # over all addresses: a network of IPv6 has 65,536 of what counts as one
_MOST_ADDRESSES = 10_000  # that are counted one by one in a window; 1 KiB each
_MOST_SUMMARIES = 20  # entries that say what was counted, in a window
_OTHERS = "several"


@dataclass
class _RefusalCount:
    recorded: Counter[str] = field(default_factory=Counter)
    counted: Counter[str] = field(default_factory=Counter)


class AnonymousLimit:
    """Calls of anonymous callers in this window: those with an entry of their own, and the number of the others."""

    def __init__(self) -> None:
        self._by_address: dict[str, _RefusalCount] = {}
        self._recorded = 0

    def admits(self, address: str, action: str) -> bool:
        """Return whether a call gets an entry; else it is counted."""
        if address not in self._by_address and len(self._by_address) >= _MOST_ADDRESSES:
            address = _OTHERS
        count = self._by_address.setdefault(address, _RefusalCount())
        is_admitted = (
            self._recorded < PER_WINDOW
            and count.recorded.total() < PER_ADDRESS
            and count.recorded[action] < PER_ACTION
        )
        (count.recorded if is_admitted else count.counted)[action] += 1
        self._recorded += is_admitted
        return is_admitted

    def take_counts(self) -> Iterator[tuple[str, Counter[str]]]:
        """End the window: yield what was counted, by address, the most first and the many last in one."""
        counts = {address: each.counted for address, each in self._by_address.items() if each.counted}
        self._by_address, self._recorded = {}, 0
        ordered = sorted(counts.items(), key=lambda pair: (pair[0] == _OTHERS, -pair[1].total()))
        yield from ordered[:_MOST_SUMMARIES]
        if rest := ordered[_MOST_SUMMARIES:]:
            yield _OTHERS, sum((each for _, each in rest), Counter())


class LimitedAudit:
    """Records calls with another `Audit`, those of anonymous callers up to a limit.

    What is beyond it becomes one entry `<service>.UnrecordedCalls` for each address and window.
    """

    def __init__(self, audit: Audit, *, service: str, window_s: float = WINDOW_S) -> None:
        self._audit = audit
        self._action = f"{service}.UnrecordedCalls"
        self._window_s = window_s
        self._limit = AnonymousLimit()

    def expect(self, call: Call, *, action: str) -> None:
        """See `Audit.expect`: what an anonymous call changes is recorded with the change, without a limit."""
        self._audit.expect(call, action=action)

    async def record(self, call: Call, *, action: str, outcome: str) -> None:
        """See `Audit.record`."""
        is_anonymous = call.caller.user is None and not call.caller.service
        if is_anonymous and not self._limit.admits(parse_network(call.address), action):
            return
        await self._audit.record(call, action=action, outcome=outcome)

    async def run(self) -> None:
        """See `Audit.run`; also ends the windows."""
        await asyncio.gather(self._audit.run(), self._end_windows())

    async def _end_windows(self) -> None:
        try:
            while True:
                await asyncio.sleep(self._window_s)
                for address, counted in self._limit.take_counts():
                    await self._record_counts(address, counted)
        finally:  # the process ends: its database may be closed already
            for address, counted in self._limit.take_counts():
                log.warning("audit_calls_counted", address=address, calls=dict(counted))

    async def _record_counts(self, address: str, counted: Counter[str]) -> None:
        call = Call("", {"x-envoy-external-address": address})
        actions = ", ".join(f"{number} x {action}" for action, number in counted.most_common())
        call.audit_target = f"{counted.total()} anonymous calls: {actions}"[:500]
        await self._audit.record(call, action=self._action, outcome="RESOURCE_EXHAUSTED")
