"""Step-up: a signed-in user proves their identity again."""

from __future__ import annotations

from services.auth.domain.credentials import Authentication
from services.auth.domain.errors import SessionMissingError, SignInFailedError
from services.auth.usecases.sign_in import SignInDependencies, check_password, forget_failures, list_limits


async def step_up(
    deps: SignInDependencies, user_id: int, *, password: str, session: str, address: str
) -> str:
    """Check the user's password and return an access token of the same session whose `auth_time` is now.

    Raises:
        SessionMissingError: the credentials belong to no session.
        SignInFailedError: wrong password, or the session has ended meanwhile.
        TooManyAttemptsError: too many wrong passwords before.
    """
    if not session:
        raise SessionMissingError("only a session can step up; of an API token the scopes decide")
    known = await deps.accounts.get_account(user_id)
    limited = list_limits(deps, known.username, address=address)
    if await check_password(deps, known, password=password, limited=limited) is None:
        raise SignInFailedError("Wrong password")
    await forget_failures(deps, known.username)
    authentication = Authentication(deps.clock())
    # With the hash that was checked: a password that was changed meanwhile has ended the session.
    account = await deps.sessions.step_up(
        session, authentication, user_id=known.id, password_hash=known.password_hash
    )
    return await deps.access_tokens.sign(
        account, session=session, read_at=authentication.at, authentication=authentication
    )
