"""Refusals of inventory that its callers tell apart."""

from __future__ import annotations

from services.common.core.errors import PreconditionError, WaitingError
from services.common.operations.model import TransientError


class TaskFailedError(PreconditionError):
    """A Proxmox task ended with an error that a second try does not change."""


class TaskLockedError(WaitingError, TransientError):
    """A Proxmox task failed because of a lock or a missing quorum, which is waited for."""
