"""A limit on the audit entries of anonymous callers, who could fill the log: further calls are counted."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from services.common.core.log import get_logger
from services.common.rpc.addresses import parse_network
from services.common.rpc.call import Call
from services.common.rpc.server_context import Audit

log = get_logger()

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
