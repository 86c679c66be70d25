"""AppsService and AppsInternalService: one method per RPC, which parses, calls one use case and renders.

One module per resource; a new RPC goes where its resource is.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.apps.handlers.apps import AppHandlers
from services.apps.handlers.containers import AppContainerHandlers
from services.apps.handlers.events import EventHandlers
from services.apps.handlers.exports import ExportHandlers
from services.apps.handlers.internal import AppsInternalHandlers
from services.apps.handlers.lifecycle import LifecycleHandlers
from services.apps.handlers.metrics import MetricHandlers
from services.apps.handlers.operations import OperationHandlers
from services.apps.handlers.output import OutputHandlers
from services.apps.handlers.summary import SummaryHandlers
from services.apps.handlers.terminal import TerminalHandlers

__all__ = ["AppsHandlers", "AppsInternalHandlers"]


@dataclass(frozen=True, kw_only=True)
class AppsHandlers(
    AppHandlers,
    LifecycleHandlers,
    MetricHandlers,
    OperationHandlers,
    OutputHandlers,
    EventHandlers,
    ExportHandlers,
    AppContainerHandlers,
    SummaryHandlers,
    TerminalHandlers,
):
    """AppsService."""
