"""Secrets that the Django system encrypted with its SECRET_KEY (Fernet)."""

from __future__ import annotations

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken

VARIABLE = "DJANGO_SECRET_KEY"
_FIRST = "gAAAA"  # how every Fernet token begins: the version and the high bytes of a time of this century


class Decryptor:
    """Decryption with the old key; without one, encrypted values stay unreadable.

    Args:
        secret_key: SECRET_KEY of the Django system; empty where it was not given.
    """

    def __init__(self, secret_key: str = "") -> None:
        # As apps/core/encryption.py of the Django system derives it.
        key = base64.urlsafe_b64encode(hashlib.sha256(secret_key.encode()).digest())
        self._fernet = Fernet(key) if secret_key else None

    def decrypt(self, value: str) -> tuple[str, str]:
        """Return the plain text and an empty reason, or an empty text and why there is none.

        A value that is not encrypted is returned as it is: the Django system reads such values too.
        """
        if not value.startswith(_FIRST):
            return value, ""
        if self._fernet is None:
            return "", f"is encrypted, and {VARIABLE} was not given"
        try:
            return self._fernet.decrypt(value.encode()).decode(), ""
        except (InvalidToken, UnicodeError):
            return "", f"cannot be decrypted with {VARIABLE}: it is damaged, or encrypted with another key"
