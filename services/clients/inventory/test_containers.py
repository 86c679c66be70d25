"""The container of a restore test: its end, whatever it is doing."""

from __future__ import annotations

from services.clients.inventory.errors import TaskFailedError
from services.clients.inventory.interface import Containers
from services.clients.inventory.tasks import follow_task
from services.clients.inventory.values import Ref
from services.common.core.errors import ForbiddenError
from services.common.core.log import get_logger
from services.common.operations.model import WaitError

log = get_logger()

_DESTROY_S = 30.0  # between two attempts to destroy it: a storage that is busy is free within a minute


async def remove_test_container(containers: Containers, ref: Ref, *, owner: str) -> None:
    """Destroy a test container, also while it runs, and release its id; repeatable.

    A container under this id that does not carry the marks of the test is left alone.

    Raises:
        WaitError: Proxmox cannot destroy it now.
        TaskHinderedError: the same, for a reason that passes.
        UnavailableError: the host does not answer.
    """
    try:
        await follow_task(containers, await containers.destroy_container(ref, owner=owner))
    except ForbiddenError as error:
        log.warning("test_container_not_ours", vmid=ref.vmid, owner=owner, error=error.message)
    except TaskFailedError as error:
        raise WaitError(
            f"Proxmox to destroy test container {ref.vmid}: {error.message}", delay=_DESTROY_S
        ) from error
    await containers.release_vmid(ref.host_id, owner)
