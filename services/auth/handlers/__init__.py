"""AuthService and AuthInternalService: one method per RPC, which parses, calls one use case and renders.

One module per resource; a new RPC goes where its resource is. `cookies` and `direct_audit` are what the server needs
around the handlers.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.auth.handlers.api_tokens import ApiTokenHandlers
from services.auth.handlers.audit_entries import AuditEntryHandlers
from services.auth.handlers.internal import AuthInternalHandlers
from services.auth.handlers.sessions import SessionHandlers
from services.auth.handlers.sign_in import SignInHandlers
from services.auth.handlers.users import UserHandlers

__all__ = ["AuthHandlers", "AuthInternalHandlers"]


@dataclass(frozen=True, kw_only=True)
class AuthHandlers(SignInHandlers, SessionHandlers, UserHandlers, ApiTokenHandlers, AuditEntryHandlers):
    """AuthService."""
