"""TestNewHost: an address and credentials are tried before they are stored."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from services.common.core.clock import now
from services.common.core.errors import DomainError
from services.inventory.domain.entities import Host, NewHost, guess_exec_mode
from services.inventory.domain.interfaces import ProxmoxFleet
from services.inventory.proxmox.isolation import isolate_host
from services.inventory.proxmox.nodes import read_fingerprint
from services.inventory.usecases.hosts import HostTest, describe_test

_TIMEOUT_S = 25.0  # the gateway waits 30 s


async def test_new_host(fleet: ProxmoxFleet, *, new: NewHost) -> HostTest:
    """Sign in to a host that is not registered and describe what its credentials allow; a fault is an outcome, too.

    Credentials are sent to the pinned or a trusted certificate alone; with `verify_ssl` false to the one that is shown,
    as when the host is registered. Nothing is stored.
    """
    mode = guess_exec_mode(
        new.user, has_password=bool(new.secrets.password), has_ssh_key=bool(new.secrets.ssh_key)
    )
    found: dict[str, Any] = {}
    is_vouched = bool(new.fingerprint)
    try:
        async with isolate_host(_describe(new), timeout_s=_TIMEOUT_S):
            shown = found["fingerprint"] = await read_fingerprint(new.host, new.port)
            pinned = new.fingerprint or ("" if new.verify_ssl else shown)
            async with fleet.open_trial(new, fingerprint=pinned) as trial:
                outcome = await describe_test(trial.client, access=trial.access, found=found)
                return replace(outcome, confirm_fingerprint=not new.verify_ssl and not is_vouched)
    except DomainError as error:
        # Nothing was signed in to: without a certificate to trust, the fingerprint is all that there is to look at.
        unknown = not is_vouched and "fingerprint" in found and "certificate" in error.message
        return HostTest(message=error.message, exec_mode=mode, confirm_fingerprint=unknown, **found)


def _describe(new: NewHost) -> Host:
    """Return the host as errors name it."""
    moment = now()
    return Host(
        id=0,
        name=new.host,
        host=new.host,
        port=new.port,
        user=new.user,
        ssh_port=new.ssh_port,
        verify_ssl=new.verify_ssl,
        fingerprint=new.fingerprint,
        token_id=new.token_id,
        is_active=True,
        is_default=False,
        status="unknown",
        version="",
        last_error="",
        last_seen=None,
        created_at=moment,
        updated_at=moment,
    )
