"""Step-up authentication: what may be done only shortly after the user proved their identity."""

from __future__ import annotations

import time

from services.common.core.errors import UnauthenticatedError
from services.common.identity.tokens import Caller

RECENT_S = 600  # ten minutes: long enough for a form, short enough for a browser that was left open
STEP_UP_PATH = "/api/auth/step-up"


class StepUpRequiredError(UnauthenticatedError):
    """The session's last sign-in is too long ago for this call.

    `challenge` is the WWW-Authenticate header of RFC 9470.
    """

    challenge = f'Bearer error="insufficient_user_authentication", max_age={RECENT_S}'

    def __init__(self) -> None:
        super().__init__(
            f"this needs a sign-in within the last {RECENT_S // 60} minutes: confirm your password with "
            f"POST {STEP_UP_PATH}",
            metadata={"methods": "password", "path": STEP_UP_PATH, "max_age": str(RECENT_S)},
        )


def check_recent_sign_in(caller: Caller) -> None:
    """Refuse a session whose user proved their identity too long ago.

    API tokens and services have no sign-in; their scopes and declarations decide.

    Raises:
        StepUpRequiredError: the last sign-in or step-up was more than `RECENT_S` ago.
    """
    if caller.authenticated_at is not None and time.time() - caller.authenticated_at > RECENT_S:
        raise StepUpRequiredError


def find_challenge(error: UnauthenticatedError) -> str:
    """Return the WWW-Authenticate header that goes with a refusal."""
    return error.challenge if isinstance(error, StepUpRequiredError) else "Bearer"
