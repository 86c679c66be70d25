"""One host's API: requests in threads of its own, so that a silent host holds up no other.

A cluster answers through any of its nodes, so requests fail over to another one when the node in use is silent.

Reads are repeated when they fail for a reason that passes. A write is repeated only when Proxmox answered that it did
nothing (a lock, a node that is not reached); when no answer came, `WriteUncertainError` asks the caller to look.
"""

from __future__ import annotations

import asyncio
import dataclasses
import random
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import requests

from services.common.core.errors import DomainError
from services.common.core.log import get_logger
from services.common.core.telemetry.metrics import template_of, timing_proxmox
from services.common.core.telemetry.tracing import SpanKind, span
from services.inventory.domain.access import Access, ClusterEndpoint
from services.inventory.domain.errors import (
    HostAnswerUnexpectedError,
    HostCredentialsRefusedError,
    HostUnreachableError,
    LockTimeoutError,
    ProxmoxRefusedError,
)
from services.inventory.domain.task_pace import TaskTimes
from services.inventory.proxmox.answers import UnexpectedAnswer
from services.inventory.proxmox.options import check_texts
from services.inventory.proxmox.refusals import (
    translate,
    uncertain,
    unexpected,
    unreachable,
)
from services.inventory.proxmox.session import (
    CONNECT_TIMEOUT_S,
    ApiSession,
    Ticket,
    make_auth,
    make_headers,
    was_never_sent,
)
from services.inventory.proxmox.shapes import check_shape

log = get_logger()

# Of one request, with exponential backoff: 1.4 s of waits, as long as a lock of Proxmox usually lasts.
_ATTEMPTS = 4
_THREADS = 8  # requests of one host at once: a node has three API workers, and a queue for each
_MAX_SILENCE_S = 15.0  # the longest time in which a silent host is not tried again


class ProxmoxClient:
    """The API of one host.

    Args:
        access: how to reach it.
        threads: how many requests run at once.
    """

    def __init__(self, access: Access, *, threads: int = _THREADS) -> None:
        self.access = access
        self.task_times = TaskTimes()
        self._endpoints: tuple[Access, ...] = (access,)
        # Requests run in threads: endpoints and the one in use change together.
        self._endpoint_lock = threading.Lock()
        self._auth = make_auth(access, lambda: self.access)
        # Threads of its own: a host that does not answer occupies none that another host needs.
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=f"pve-{access.host_id}")
        # requests.Session is not thread-safe: each thread has one, and its connection.
        self._local = threading.local()
        self._sessions: list[ApiSession] = []
        self._closed = False
        self._silent_until = 0.0
        self._silence = 0.0
        self._silence_error = ""

    async def get(self, path: str, /, **params: Any) -> Any:
        """Read; retried when that may help.

        Raises:
            HostUnreachableError: the host or the node does not answer.
            HostCredentialsRefusedError: it does not accept the credentials.
            ProxmoxRefusedError: it refuses, in its own words.
        """
        return await self._run("get", path, params=params)

    async def post(self, path: str, /, **params: Any) -> Any:
        """Write with POST.

        Raises:
            WriteUncertainError: no answer came; look before trying again.
            DomainError: as `get`.
        """
        return await self._run("post", path, params=params)

    async def put(self, path: str, /, **params: Any) -> Any:
        """Write with PUT; raises as `post`."""
        return await self._run("put", path, params=params)

    async def delete(self, path: str, /, **params: Any) -> Any:
        """Write with DELETE; raises as `post`."""
        return await self._run("delete", path, params=params)

    async def get_headers(self) -> dict[str, str]:
        """Return the headers that authenticate a request which this client does not send; signs in when that is due.

        Raises:
            HostUnreachableError: the host does not answer.
            HostCredentialsRefusedError: it does not accept the credentials.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._make_headers)

    def use_endpoints(self, endpoints: Sequence[ClusterEndpoint]) -> None:
        """Set the cluster's other nodes: requests fail over to them in turn when the one in use does not answer.

        Requests to a pinned host never go through a node whose certificate is not pinned too.
        """
        first = self._endpoints[0]
        others = [
            dataclasses.replace(first, host=endpoint.address, fingerprint=endpoint.fingerprint)
            for endpoint in endpoints
            if endpoint.address not in ("", first.host)
            and bool(endpoint.fingerprint) == bool(first.fingerprint)
        ]
        with self._endpoint_lock:
            self._endpoints = (first, *others)
            if self.access not in self._endpoints:
                self.access = first

    def close(self) -> None:
        """Close the sessions; requests under way end by themselves, those that wait are refused."""
        # First, so that a request that fails now is explained by this.
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        for session in self._sessions:
            session.close()

    async def _run(self, method: str, path: str, *, params: dict[str, Any]) -> Any:
        # Circuit breaker: requests to a host that did not answer fail at once for a while.
        if time.monotonic() < self._silent_until:
            raise HostUnreachableError(self._silence_error, retry_after=self._silent_until - time.monotonic())
        clean = {name: _render(value) for name, value in params.items() if value is not None}
        # Before anything is sent: no text may begin another option or another line of a configuration.
        check_texts(clean)
        loop = asyncio.get_running_loop()
        for attempt in range(1, _ATTEMPTS + 1):
            began = time.monotonic()
            try:
                with _observing(method, path):
                    answer = await loop.run_in_executor(
                        self._threads, partial(self._request, method, path, params=clean)
                    )
            except (RuntimeError, asyncio.CancelledError) as error:
                if not self._closed:
                    raise
                sentence = f"the host {self.access.name!r} was changed or removed meanwhile"
                raise HostUnreachableError(sentence, retry_after=1) from error
            except (LockTimeoutError, HostUnreachableError) as error:
                took = time.monotonic() - began
                self._note(error, took=took)
                silent = isinstance(error, HostAnswerUnexpectedError) or (
                    isinstance(error, HostUnreachableError) and (attempt > 1 or took >= CONNECT_TIMEOUT_S)
                )
                if attempt == _ATTEMPTS or silent:
                    raise
            else:
                self._silence = 0.0
                return answer
            await asyncio.sleep(random.uniform(0.5, 1.0) * 0.1 * 2**attempt)  # noqa: S311 - jitter
        raise AssertionError("unreachable")

    def _note(self, error: DomainError, *, took: float) -> None:
        """Leave a silent host alone for a while: at once when it made us wait, from the third time on when it refuses."""
        if isinstance(error, HostUnreachableError) and error.metadata.get("scope") == "host":
            self._silence = min(max(self._silence * 2, 0.5, took), _MAX_SILENCE_S)
            self._silence_error = error.message
            self._silent_until = time.monotonic() + (self._silence if self._silence > 1 else 0)

    def _request(self, method: str, path: str, *, params: dict[str, Any]) -> Any:
        try:
            return self._send(method, path, params=params)
        except HostCredentialsRefusedError:
            if not isinstance(self._auth, Ticket):
                raise
            # The ticket may have expired on a host whose clock differs: sign in once more.
            self._auth.drop()
            return self._send(method, path, params=params)

    def _send(self, method: str, path: str, *, params: dict[str, Any]) -> Any:
        """Send through the node in use; through the others when it does not answer."""
        for _ in self._endpoints[1:]:
            access = self.access
            try:
                return self._send_through(method, path, params=params)
            except HostUnreachableError as error:
                if error.metadata.get("scope") != "host":
                    raise
                self._leave(access)
        return self._send_through(method, path, params=params)

    def _leave(self, access: Access) -> None:
        with self._endpoint_lock:
            if self.access == access and access in self._endpoints:
                self.access = self._endpoints[(self._endpoints.index(access) + 1) % len(self._endpoints)]
                log.warning(
                    "cluster_failed_over", host_id=access.host_id, left=access.host, to=self.access.host
                )

    def _send_through(self, method: str, path: str, *, params: dict[str, Any]) -> Any:
        if isinstance(self._auth, Ticket):
            self._make_headers()  # signs in when that is due: if that fails, nothing else was sent
        try:
            answer = self._get_session().request(method, path, params=params)
            if answer.status < 400:
                check_shape(method, path, data=answer.data)
        except UnexpectedAnswer as error:
            raise unexpected(error, self.access, method=method, path=path) from error
        except (requests.exceptions.RequestException, OSError) as error:
            if method == "get" or was_never_sent(error):
                raise unreachable(error, self.access) from error
            raise uncertain(self.access, method, path=path) from error
        if answer.status >= 400:
            raise translate(answer, self.access, method=method, path=path)
        return answer.data

    def _make_headers(self) -> dict[str, str]:
        try:
            return make_headers(self._auth)
        except UnexpectedAnswer as error:
            raise unexpected(error, self.access, method="get", path="/access/ticket") from error
        except (requests.exceptions.RequestException, OSError) as error:
            raise unreachable(error, self.access) from error

    def _get_session(self) -> ApiSession:
        access, session = getattr(self._local, "session", (None, None))
        if session is None or access != self.access:
            if session is not None:  # of the node that was left
                session.close()
                self._sessions.remove(session)
            access = self.access
            session = ApiSession(access, self._auth)
            self._local.session = (access, session)
            self._sessions.append(session)
        return session


@contextmanager
def _observing(method: str, path: str) -> Iterator[None]:
    """Record a call: a span, and its duration by path without the names in it."""
    name = f"{method.upper()} {template_of(path)}"

    def is_fault(error: Exception) -> bool:
        # Reads look whether something exists, and Proxmox refuses what does not.
        return method != "get" or not isinstance(error, ProxmoxRefusedError)

    attributes = {"proxmox.path": path}
    with (
        span(name, kind=SpanKind.CLIENT, attributes=attributes, is_fault=is_fault),
        timing_proxmox(method, path),
    ):
        yield


def _render(value: Any) -> Any:
    return int(value) if isinstance(value, bool) else value
