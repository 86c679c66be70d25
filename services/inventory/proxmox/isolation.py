"""Work with one host among others: whatever goes wrong there is an error of that host and of nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.common.core.errors import DomainError, SealBrokenError, UnavailableError
from services.common.core.log import get_logger
from services.inventory.domain.entities import Host
from services.inventory.domain.errors import HostAnswerUnexpectedError, HostUnreachableError

log = get_logger()


@asynccontextmanager
async def isolate_host(host: Host, *, timeout_s: float) -> AsyncIterator[None]:
    """Turn every exception into a DomainError that names the host, so that a loop over hosts handles only these.

    Raises:
        HostUnreachableError: it did not answer within `timeout_s`.
        HostAnswerUnexpectedError: what it answered could not be processed; the log has the traceback.
        UnavailableError: its credentials do not open.
        DomainError: as the work.
    """
    try:
        async with asyncio.timeout(timeout_s):
            yield
    # As after a restore of the database with another SECRET_KEY.
    except SealBrokenError:
        raise UnavailableError(
            f"the credentials of {host.name!r} do not open with this SECRET_KEY; set them again"
        ) from None
    except DomainError:
        raise
    except TimeoutError:
        raise HostUnreachableError(
            f"{host.name} did not answer within {timeout_s:.0f} s", metadata={"scope": "host"}, retry_after=5
        ) from None
    except Exception as error:
        log.exception("host_answer_not_processed", host_id=host.id)
        raise HostAnswerUnexpectedError(
            f"{host.name} ({host.host}:{host.port}) does not answer as Proxmox VE: "
            "it answers with data that cannot be processed; inventory's log has the details"
        ) from error
