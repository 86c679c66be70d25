"""Limits of concurrent calls and streams per user and address; detection of endless streams."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache

from google.api import annotations_pb2
from google.protobuf.descriptor import MethodDescriptor

from services.common.core.errors import ExhaustedError
from services.common.rpc.call import Call

# Set by the gateway for HEAD on a stream, whose answer would not end.
HEAD_HEADER = "x-proximity-head"
MOST_CALLS = 5000  # that a server takes at a time, streams included
MOST_STREAMS = MOST_CALLS // 2  # the other half is for calls that end by themselves
_RAW_BODY = "google.api.HttpBody"


class TooManyStreamsError(ExhaustedError):
    """The user holds as many streams as one may, or the process as many as it has room for."""


class TooManyCallsError(ExhaustedError):
    """The user or the address has as many calls under way as one may."""


class Streams:
    """Counts the streams of each user in this process. Services may hold as many as they need.

    Args:
        limit: how many one user may hold, and one address of callers who are not signed in.
        total: how many all of them may hold.
    """

    def __init__(self, limit: int = 100, *, total: int = MOST_STREAMS) -> None:
        self._limit = limit
        self._total = total
        self._open: Counter[str] = Counter()

    @contextmanager
    def hold(self, call: Call) -> Iterator[None]:
        """Count a stream for as long as it lasts.

        Raises:
            TooManyStreamsError: it would be one too many.
        """
        if call.caller.service:
            yield
            return
        principal, name = _name_principal(call)
        if self._open[principal] >= self._limit:
            text = f"{name} has {self._limit} streams open; close one first"
            raise TooManyStreamsError(text, retry_after=5)
        if self._open.total() >= self._total:
            text = (
                f"all {self._total} streams of the service are open; try again when others have closed theirs"
            )
            raise TooManyStreamsError(text, retry_after=5)
        with _StreamCount(self._open, principal):
            yield


class Calls:
    """Counts the unary calls under way of each user and address in this process. Services are not counted.

    A server takes a fixed number of calls at a time; without this, one client could hold all of them.

    Args:
        per_user: how many one user may have under way.
        per_address: how many one address may, of callers who are not signed in or not known yet.
    """

    def __init__(self, *, per_user: int = 200, per_address: int = 100) -> None:
        self._per_user = per_user
        self._per_address = per_address
        self._open: Counter[str] = Counter()

    def admitting(self, call: Call) -> AbstractContextManager[None]:
        """Count a call of an address while it is found out who calls.

        Raises:
            TooManyCallsError: it would be one too many.
        """
        if "x-forwarded-for" not in call.metadata:  # not by the gateway: a service
            return nullcontext()
        network = find_network(call.address)
        return self._hold(f"address {network}", network, limit=self._per_address)

    def handling(self, call: Call) -> AbstractContextManager[None]:
        """Count a call of a user, or of an address, while it is handled.

        Raises:
            TooManyCallsError: it would be one too many.
        """
        if call.caller.service or (call.caller.user is None and "x-forwarded-for" not in call.metadata):
            return nullcontext()
        principal, name = _name_principal(call)
        return self._hold(
            principal, name, limit=self._per_address if call.caller.user is None else self._per_user
        )

    def _hold(self, principal: str, name: str, *, limit: int) -> AbstractContextManager[None]:
        if self._open[principal] >= limit:
            raise TooManyCallsError(
                f"{name} has {limit} calls under way; send more when some have ended", retry_after=1
            )
        return _StreamCount(self._open, principal)


class _StreamCount(AbstractContextManager[None]):
    """One call or stream of a principal, for as long as it lasts."""

    def __init__(self, counter: Counter[str], principal: str) -> None:
        self._counter, self._principal = counter, principal

    def __enter__(self) -> None:
        self._counter[self._principal] += 1

    def __exit__(self, *_: object) -> None:
        self._counter[self._principal] -= 1
        if not self._counter[self._principal]:
            del self._counter[self._principal]


def _name_principal(call: Call) -> tuple[str, str]:
    """Return the key of whom a call counts for, and the name that a message has for it."""
    user = call.caller.user
    if user is not None:
        return f"user {user.id}", user.username
    network = find_network(call.address)
    return f"address {network}", network


@lru_cache(maxsize=4096)
def find_network(address: str) -> str:
    """Return an IPv4 address itself, of IPv6 the network of 64 bits: one client owns all of it."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return address
    return str(ipaddress.ip_network((found, 64), strict=False))


def is_endless(method: MethodDescriptor) -> bool:
    """Whether an RPC streams until the client or server ends it; a stream that REST prints as an array is finite."""
    has_path = method.GetOptions().HasExtension(annotations_pb2.http)
    return bool(method.server_streaming and (method.output_type.full_name == _RAW_BODY or not has_path))
