"""The condition of a service: faults that stop its work or need an operator, in words, for health checks."""

from __future__ import annotations

import asyncio

from grpc_health.v1 import health_pb2

from services.common.core.errors import DomainError
from services.common.core.log import get_logger
from services.common.db.probe import FULL
from services.common.process.health import STORING, ExplainingHealthServicer
from services.common.process.runtime import Runtime

log = get_logger()

_LOOK_S = 1.0  # how late a fault may be in the health of the service
_COUNT_EVERY = 5  # checks between two counts of poison messages, which cost a query


async def report_condition(runtime: Runtime, servicer: ExplainingHealthServicer) -> None:
    """Report the condition of the service under CONDITION and STORING, for ever.

    STORING is about writes alone; the release before asks for it.
    """
    serving, poison = health_pb2.HealthCheckResponse, ""
    look = 0
    while True:
        if look % _COUNT_EVERY == 0:
            poison = await _count_poison(runtime)
        look += 1
        storing = list_storing_faults(runtime)
        await servicer.explain("; ".join([*storing, *([poison] if poison else [])]))
        await servicer.set(STORING, serving.NOT_SERVING if storing else serving.SERVING)
        await asyncio.sleep(_LOOK_S)


def list_storing_faults(runtime: Runtime) -> list[str]:
    """List the faults that keep writes from being stored and published."""
    faults = [runtime.probe.fault] if runtime.probe.fault else []
    if runtime.db.is_full and FULL not in faults:
        faults.append(FULL)
    if runtime.bus.is_refusing:
        faults.append("NATS stores no messages: its disk is full, or a stream is missing")
    return faults


async def _count_poison(runtime: Runtime) -> str:
    if runtime.bus.poison is None:
        return ""
    try:
        count = await runtime.bus.poison.count()
    except DomainError:
        return ""  # the probe reports the reason
    if not count:
        return ""
    name = f"python -m services.{runtime.service} poison-messages"
    return f"{count} messages are set aside because no delivery could process them ({name})"
