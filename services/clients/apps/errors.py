"""Refusals of apps that its callers have too."""

from __future__ import annotations

from services.common.core.errors import BusyError


class AppBusyError(BusyError):
    """Another operation on the app is under way."""
