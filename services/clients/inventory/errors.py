"""Refusals of inventory that its callers tell apart."""

from __future__ import annotations

from services.common.core.errors import NotFoundError, PreconditionError, TransientError, WaitingError


class ContainerNotFoundError(NotFoundError):
    """The host answers and has no such container."""


class TaskFailedError(PreconditionError):
    """A Proxmox task ended with an error that a second try does not change."""


class TaskHinderedError(TransientError):
    """A Proxmox task ended with an error that passes; another task may succeed."""


class TaskLockedError(WaitingError, TaskHinderedError):
    """A Proxmox task failed because of a lock or a missing quorum, which is waited for."""


class TaskLostError(TaskHinderedError):
    """Proxmox does not know a task any more that it began: its node failed, and the outcome has to be looked up."""
