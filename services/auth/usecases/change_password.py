"""Change of the caller's own password."""

from __future__ import annotations

from services.auth.domain.errors import InvalidPasswordError, WrongPasswordError
from services.auth.domain.passwords import find_faults
from services.auth.usecases.sign_in import SignInDependencies, check_password, list_limits
from services.common.core.errors import Violation


async def change_password(
    deps: SignInDependencies,
    user_id: int,
    *,
    old: str,
    new: str,
    session: str,
    address: str,
    keep_api_tokens: bool = False,
) -> None:
    """Change a password; every session but the caller's ends, and every API token unless `keep_api_tokens`.

    Raises:
        WrongPasswordError: `old` is not the password.
        InvalidPasswordError: `new` is refused.
        TooManyAttemptsError: too many wrong old passwords before.
    """
    account = await deps.accounts.get_account(user_id)
    # A stolen session must be no way to guess the password without the limits of sign-ins.
    limited = list_limits(deps, account.username, address=address)
    if await check_password(deps, account, password=old, limited=limited) is None:
        violation = Violation("old_password", "is wrong")
        raise WrongPasswordError("The old password is wrong", violations=[violation])
    if faults := find_faults(new, account.username):
        raise InvalidPasswordError(
            "; ".join(f"new_password {fault}" for fault in faults),
            violations=[Violation("new_password", fault) for fault in faults],
        )
    # A hash takes 64 MiB: the slots bound how much memory requests take together.
    async with deps.hasher.slot():
        password_hash = await deps.hasher.hash(new)
    revocations = await deps.accounts.change_password(
        user_id, password_hash, keep_session=session, keep_api_tokens=keep_api_tokens
    )
    deps.revocations.note_revoked(revocations)
