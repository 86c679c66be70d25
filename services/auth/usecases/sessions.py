"""A user's own sessions."""

from __future__ import annotations

from services.auth.domain.credentials import UserSession
from services.auth.domain.errors import SessionMissingError, SessionNotFoundError
from services.auth.usecases.sign_in import SignInDependencies


async def list_sessions(deps: SignInDependencies, user_id: int) -> list[UserSession]:
    """List a user's sessions that have not ended, newest first."""
    return await deps.sessions.list_sessions(user_id)


async def get_session(deps: SignInDependencies, user_id: int, *, session_id: str) -> UserSession:
    """Return one of a user's sessions.

    Raises:
        SessionNotFoundError: the user has none of this id, or it has ended.
    """
    for session in await deps.sessions.list_sessions(user_id):
        if session.id == session_id:
            return session
    raise SessionNotFoundError(f"there is no session {session_id!r}")


async def delete_session(deps: SignInDependencies, user_id: int, *, session_id: str) -> None:
    """End one of a user's sessions, everywhere within a second.

    Raises:
        SessionNotFoundError: the user has none of this id, or it has ended.
    """
    revocations = await deps.sessions.end_own_sessions(user_id, only=session_id)
    if not revocations:
        raise SessionNotFoundError(f"there is no session {session_id!r}")
    deps.revocations.note_revoked(revocations)


async def delete_other_sessions(deps: SignInDependencies, user_id: int, *, keep: str) -> None:
    """End all of a user's sessions but `keep`, everywhere within a second.

    Raises:
        SessionMissingError: the credentials are an API token, which has no session.
    """
    if not keep:
        raise SessionMissingError("only a session has others; with an API token end them by their ids")
    deps.revocations.note_revoked(await deps.sessions.end_own_sessions(user_id, keep=keep))
