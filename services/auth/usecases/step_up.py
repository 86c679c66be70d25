"""Step-up: a signed-in user proves their identity again."""

from __future__ import annotations

from services.auth.domain.entities import Authentication
from services.auth.domain.errors import SessionMissingError, SignInFailedError
from services.auth.domain.names import normalize_name
from services.auth.usecases.sign_in import SignIn, check_password
from services.common.identity.tokens import User


async def step_up(auth: SignIn, user: User, *, password: str, session: str, address: str) -> str:
    """Check the user's password and return an access token of the same session whose `auth_time` is now.

    Raises:
        SessionMissingError: the credentials belong to no session.
        SignInFailedError: wrong password, or the session has ended meanwhile.
        TooManyAttemptsError: too many wrong passwords before.
    """
    if not session:
        raise SessionMissingError("only a session can step up; of an API token the scopes decide")
    known = await auth.accounts.get_account(user.id)
    account_key = normalize_name(known.username)
    limited = ((auth.limits.login_account, account_key), (auth.limits.login_address, address))
    if await check_password(auth, known, password, limited) is None:
        raise SignInFailedError("Wrong password")
    await auth.attempts.clear([auth.limits.login_account.key_of(account_key)])
    authentication = Authentication(auth.clock())
    account = await auth.sessions.step_up(
        session, authentication, user_id=known.id, password_hash=known.password_hash
    )
    return await auth.tokens.sign(
        account, session=session, read_at=authentication.at, authentication=authentication
    )
