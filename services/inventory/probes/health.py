"""Condition of the platform's parts, each checked with a short timeout."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import grpc
import sqlalchemy as sa
from grpc_health.v1 import health_pb2, health_pb2_grpc
from nats.errors import Error as NatsError

from services.common.core.config import ServiceSettings
from services.common.core.errors import DomainError
from services.common.db.database import Database
from services.common.db.probe import FULL as DISK_FULL
from services.common.db.probe import DatabaseProbe
from services.common.messaging.bus import Bus
from services.common.messaging.streams import REVOCATIONS_BUCKET
from services.common.process.health import CONDITION, STORING, read_reason
from services.common.rpc.client import PeerTls, open_channel
from services.inventory.domain.health import CONNECTED, FULL, HealthReport
from services.registry import SERVICES

_TIMEOUT_S = 1.0  # of each part: load balancers give a check 2 s or more
_MAX_AGE_S = 0.5  # of a report: GetHealth is public, and must not become load on the parts


class HealthChecks:
    """Checks of the database, the cache, messaging and the other services."""

    def __init__(
        self,
        service: str,
        settings: ServiceSettings,
        *,
        db: Database,
        bus: Bus,
        probe: DatabaseProbe,
        tls: PeerTls | None = None,
        find_host_fault: Callable[[], str] = str,
    ) -> None:
        self._find_host_fault = find_host_fault
        self._probe = probe
        self._tls = tls
        self._service = service
        self._settings = settings
        self._db = db
        self._bus = bus
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._running: asyncio.Task[HealthReport] | None = None
        self._checked_at = 0.0

    async def check(self) -> HealthReport:
        """Return a report that is at most half a second old; requests at the same time share one (single flight)."""
        time = asyncio.get_running_loop().time()
        if self._running is None or time - self._checked_at > _MAX_AGE_S:
            self._running, self._checked_at = asyncio.create_task(self._check_all()), time
        return await asyncio.shield(self._running)  # a caller that leaves does not end it for the others

    async def _check_all(self) -> HealthReport:
        others = [name for name in SERVICES if name != self._service]
        database, cache, messaging, *rest = await asyncio.gather(
            _explain(self._check_database()),
            _explain(self._check_cache()),
            _explain(self._check_messaging()),
            *(_explain(self._check_service(name)) for name in others),
        )
        if database == f"error: {DISK_FULL}" or (database == CONNECTED and self._db.is_full):
            database = FULL
        found = {self._service: database, **dict(zip(others, rest, strict=True))}
        if database == CONNECTED and (fault := self._find_host_fault()):
            found[self._service] = f"error: {fault}"
        return HealthReport(database, cache, messaging, {name: found[name] for name in SERVICES})

    async def close(self) -> None:
        """Close the channels."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        for channel in self._channels.values():
            await channel.close(None)

    async def _check_database(self) -> None:
        if self._probe.fault:
            raise ConnectionError(self._probe.fault)
        await self._db.read(lambda connection: connection.execute(sa.text("SELECT 1")).scalar())

    # The revocations are the only data that the platform caches in NATS.
    async def _check_cache(self) -> None:
        await (await self._bus.key_value(REVOCATIONS_BUCKET)).status()

    async def _check_messaging(self) -> None:
        if not self._bus.is_connected:
            raise ConnectionError("NATS is not connected")
        if self._bus.is_refusing:
            raise ConnectionError("NATS stores nothing")
        await self._bus.key_value(REVOCATIONS_BUCKET)

    async def _check_service(self, name: str) -> None:
        channel = self._channels.get(name)
        if channel is None:
            address = self._settings.address_of(name)
            # Opened on first use and left open: a handshake per check would cost more than the check.
            channel = self._channels[name] = open_channel(address, name, tls=self._tls)
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            await _check(stub, CONDITION, fault="it does not say why")
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise
            await _check(
                stub, STORING, fault="a disk is full: its database or NATS stores nothing"
            )  # of the release before


async def _check(stub: health_pb2_grpc.HealthStub, name: str, *, fault: str) -> None:
    call = stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=_TIMEOUT_S, wait_for_ready=False)
    answer = await call
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        raise ConnectionError(read_reason(await call.trailing_metadata()) or fault)


async def _explain(check: Awaitable[None]) -> str:
    try:
        await asyncio.wait_for(check, _TIMEOUT_S)
    except grpc.aio.AioRpcError as error:
        return f"error: {error.code().name.lower()}"
    except (DomainError, NatsError, OSError) as error:
        return f"error: {str(error) or type(error).__name__}"
    except TimeoutError:
        return "error: timed out"
    return CONNECTED
