"""BackupsService and BackupsInternalService: one method per RPC, which parses, calls one use case and renders."""

from services.backups.handlers.backups import BackupsHandlers
from services.backups.handlers.internal import BackupsInternalHandlers

__all__ = ["BackupsHandlers", "BackupsInternalHandlers"]
