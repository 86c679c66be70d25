"""AuthInternalService: questions of the other services."""

from __future__ import annotations

from dataclasses import dataclass

from proximity.auth.v1 import auth_service_pb2 as pb
from proximity.auth.v1 import user_pb2

from services.auth.convert.api_tokens import render_identity
from services.auth.convert.users import parse_question, render_user
from services.auth.usecases.api_tokens import ApiTokenDependencies, authenticate_api_token
from services.auth.usecases.users import UserDependencies, find_user
from services.common.rpc.call import Call


@dataclass(frozen=True, kw_only=True)
class AuthInternalHandlers:
    """AuthInternalService."""

    users: UserDependencies
    api_tokens: ApiTokenDependencies

    async def authenticate_api_token(
        self,
        request: pb.AuthenticateApiTokenRequest,
        call: Call,  # noqa: ARG002 - all have it
    ) -> pb.AuthenticateApiTokenResponse:
        """Return the user and the scopes of an API token."""
        return render_identity(*await authenticate_api_token(self.api_tokens, request.token))

    async def find_user(self, request: pb.FindUserRequest, call: Call) -> user_pb2.User:  # noqa: ARG002 - all have it
        """Find an account by id or name."""
        user_id, username = parse_question(request)
        return render_user(await find_user(self.users, user_id=user_id, username=username))
