"""AuthService: the caller's API tokens."""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf.empty_pb2 import Empty
from proximity.auth.v1 import auth_service_pb2 as pb
from proximity.auth.v1 import user_pb2

from services.auth.convert.api_tokens import (
    parse_expiry,
    parse_token_id,
    render_api_token,
    render_api_tokens,
)
from services.auth.usecases import api_tokens
from services.auth.usecases.api_tokens import ApiTokenDependencies
from services.common.rpc.call import Call


@dataclass(frozen=True, kw_only=True)
class ApiTokenHandlers:
    """RPCs of API tokens."""

    api_tokens: ApiTokenDependencies

    async def list_api_tokens(self, request: Empty, call: Call) -> pb.ListApiTokensResponse:  # noqa: ARG002 - all have it
        """List the caller's API tokens."""
        return render_api_tokens(await api_tokens.list_api_tokens(self.api_tokens, call.user.id))

    async def create_api_token(self, request: pb.CreateApiTokenRequest, call: Call) -> user_pb2.ApiToken:
        """Create an API token."""
        token, secret = await api_tokens.create_api_token(
            self.api_tokens,
            call.user,
            name=request.name,
            scopes=request.scopes,
            expires_at=parse_expiry(request),
            parent_id=parse_token_id(call.caller),
        )
        call.audit_target = f"API token {token.id}"
        return render_api_token(token, secret=secret)

    async def delete_api_token(self, request: pb.DeleteApiTokenRequest, call: Call) -> Empty:
        """End an API token."""
        call.audit_target = f"API token {request.id}"
        await api_tokens.delete_api_token(self.api_tokens, request.id, user_id=call.user.id)
        return Empty()
