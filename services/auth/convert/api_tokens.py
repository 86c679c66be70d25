"""Personal API tokens."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from proximity.auth.v1 import auth_service_pb2 as pb
from proximity.auth.v1 import user_pb2

from services.auth.convert.fields import parse_time
from services.auth.domain.credentials import ApiToken
from services.auth.domain.entities import Account
from services.common.identity.tokens import Caller
from services.common.rpc.responses.rendered import render_time


def parse_expiry(request: pb.CreateApiTokenRequest) -> datetime | None:
    """Parse the requested expiry of a token; None where there is none.

    Raises:
        InvalidError: it is beyond the years 1 to 9999.
    """
    return parse_time(request.expires_at, "expires_at") if request.HasField("expires_at") else None


def parse_token_id(caller: Caller) -> int | None:
    """Parse the id of the API token of a call from its name as credentials (`api-7`); None for other credentials."""
    number = caller.token_id.removeprefix("api-")
    return int(number) if number != caller.token_id and number.isdigit() else None


def render_api_token(token: ApiToken, *, secret: str = "") -> user_pb2.ApiToken:
    """Render an API token; `secret` is the token itself, for the only response that shows it."""
    message = user_pb2.ApiToken(
        id=token.id,
        name=token.name,
        scopes=token.scopes,
        created_at=render_time(token.created_at),
        expires_at=render_time(token.expires_at),
        token=secret or None,
    )
    if token.last_used_at is not None:
        message.last_used_at.CopyFrom(render_time(token.last_used_at))
    return message


def render_api_tokens(tokens: Sequence[ApiToken]) -> pb.ListApiTokensResponse:
    """Render a user's API tokens."""
    rendered = [render_api_token(token) for token in tokens]
    return pb.ListApiTokensResponse(tokens=rendered, total=len(rendered))


def render_identity(token: ApiToken, account: Account) -> pb.AuthenticateApiTokenResponse:
    """Render the user and the rights of an API token."""
    return pb.AuthenticateApiTokenResponse(
        user_id=account.id,
        username=account.username,
        is_staff=account.is_staff,
        scopes=token.scopes,
        expires_at=render_time(token.expires_at),
        token_id=token.id,
    )
