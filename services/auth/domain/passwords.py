"""Rules for passwords."""

from __future__ import annotations

from difflib import SequenceMatcher

from services.auth.domain.common_passwords import COMMON_PASSWORDS
from services.auth.domain.names import normalize_name

MIN_LENGTH = 8  # characters; the minimum of NIST SP 800-63B
MAX_LENGTH = 1024  # characters; the field rules of the protos refuse more before anything is hashed
RULES = (
    f"at least {MIN_LENGTH} characters",
    "not a common password",
    "not all digits",
    "not like the username",
)
_TOO_LIKE = 0.7  # similarity from 0 to 1; the threshold of Django, whose users keep their passwords


def find_faults(password: str, username: str) -> list[str]:
    """Return the faults of a password, each a sentence without the password; empty when it is accepted."""
    faults: list[str] = []
    if len(password) < MIN_LENGTH:
        faults.append(f"is too short: it has {len(password)} characters, at least {MIN_LENGTH} are needed")
    if _is_common(password):
        faults.append("is too common")
    if password.isdigit():
        faults.append("must not be all digits")
    if _is_like(password, username):
        faults.append("is too like the username")
    return faults


def _is_common(password: str) -> bool:
    folded = password.casefold().strip()
    return (
        folded in COMMON_PASSWORDS or folded.rstrip("0123456789!?.") in COMMON_PASSWORDS or _repeats(folded)
    )


def _repeats(text: str) -> bool:
    # Repetitions of one or two characters are guessed early, unless they are long.
    return len(set(text)) <= 2 and len(text) < 20


def _is_like(password: str, username: str) -> bool:
    one, other = normalize_name(password), normalize_name(username)
    if not one or len(other) < 3:
        return one == other
    if one in (other, other[::-1]) or (
        len(other) >= 4 and other in one and len(one) - len(other) < MIN_LENGTH
    ):
        return True
    # The comparison takes quadratic time, hence the bound; user names have at most 150 characters.
    return SequenceMatcher(a=one[:150], b=other).ratio() >= _TOO_LIKE
