"""Sessions, their tokens and the keys that sign them."""

from __future__ import annotations

from collections.abc import Sequence

from proximity.auth.v1 import auth_service_pb2 as pb
from proximity.auth.v1 import user_pb2

from services.auth.convert.users import render_user
from services.auth.domain.credentials import Client, SignedIn, SigningKey, UserSession
from services.common.identity.tokens import ACCESS_TOKEN_S
from services.common.rpc.call import Call, parse_network
from services.common.rpc.responses.rendered import render_time


def parse_client(call: Call) -> Client:
    """Parse the program that signs in."""
    return Client(parse_network(call.address), call.metadata.get("user-agent", ""))


def render_session(signed_in: SignedIn) -> user_pb2.Session:
    """Render the result of a sign-in."""
    return user_pb2.Session(
        access=signed_in.access,
        refresh=signed_in.refresh,
        expires_in=signed_in.expires_in,
        user=render_user(signed_in.account),
        notices=filter(None, [signed_in.account.notice]),
    )


def render_token_pair(signed_in: SignedIn) -> user_pb2.TokenPair:
    """Render the result of a refresh."""
    return user_pb2.TokenPair(
        access=signed_in.access, refresh=signed_in.refresh, expires_in=signed_in.expires_in
    )


def render_access_token(access: str) -> user_pb2.AccessToken:
    """Render the result of a step-up."""
    return user_pb2.AccessToken(access=access, expires_in=ACCESS_TOKEN_S)


def render_user_session(session: UserSession, *, current: str) -> user_pb2.UserSession:
    """Render a session; `current` is the id of the caller's."""
    return user_pb2.UserSession(
        id=session.id,
        address=session.client.address,
        user_agent=session.client.user_agent,
        created_at=render_time(session.created_at),
        last_used_at=render_time(session.last_used_at),
        authenticated_at=render_time(session.authenticated_at),
        expires_at=render_time(session.expires_at),
        is_current=session.id == current,
    )


def render_sessions(sessions: Sequence[UserSession], *, current: str) -> pb.ListSessionsResponse:
    """Render a user's sessions."""
    rendered = [render_user_session(session, current=current) for session in sessions]
    return pb.ListSessionsResponse(sessions=rendered, total=len(rendered))


def render_jwks(keys: Sequence[SigningKey]) -> user_pb2.Jwks:
    """Render public keys as a JSON Web Key Set."""
    return user_pb2.Jwks(
        keys=[
            user_pb2.Jwk(kty="OKP", crv="Ed25519", kid=key.kid, x=key.x, alg="EdDSA", use="sig")
            for key in keys
        ]
    )
