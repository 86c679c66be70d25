"""Secrets at rest: AES-256-GCM under a versioned key, bound to the row that they belong to.

A sealed value is `v<key id>.<nonce + ciphertext, base64>`. The key id is derived from the secret, so rotating
SECRET_KEY needs no bookkeeping: old values name the key that opens them. The place (`hosts.password.7`) is
authenticated with the value: a value moved to another row, column or table does not open.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from services.common.core.errors import PreconditionError


class SealBrokenError(PreconditionError):
    """A sealed value does not open: another key, another row, or damage."""

    def __init__(self, place: str, fault: str) -> None:
        remedy = "set the former SECRET_KEY in PREVIOUS_SECRET_KEYS, or enter the value again"
        super().__init__(f"the stored secret {place} {fault}; {remedy}")


class Sealer:
    """Seals and opens secrets.

    Args:
        secret_key: the current secret; new values are sealed with it.
        previous: former secrets, which still open their values.
    """

    def __init__(self, secret_key: str, *, previous: Sequence[str] = ()) -> None:
        self._keys: dict[str, AESGCM] = {}
        # The current secret comes last, so that its id is the one that stays.
        for secret in (*previous, secret_key):
            key = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"proximity sealing v1").derive(
                secret.encode()
            )
            self._current = hashlib.sha256(b"key id" + key).hexdigest()[:8]
            self._keys[self._current] = AESGCM(key)

    def seal(self, value: str, *, place: str) -> str:
        """Seal `value` for `place` (`table.column.row`)."""
        # 96 random bits: a repetition is unlikely before 2**32 values under one key (NIST SP 800-38D).
        nonce = os.urandom(12)
        ciphertext = self._keys[self._current].encrypt(nonce, value.encode(), place.encode())
        return f"v{self._current}.{base64.b64encode(nonce + ciphertext).decode()}"

    def open(self, sealed: str, *, place: str) -> str:
        """Open a value sealed for `place`.

        Raises:
            SealBrokenError: it was sealed with an unknown key, for another place, or is damaged.
        """
        version, _, encoded = sealed.partition(".")
        key = self._keys.get(version.removeprefix("v"))
        if key is None:
            raise SealBrokenError(place, f"is sealed with key {version}, which is not configured")
        try:
            data = base64.b64decode(encoded, validate=True)
            return key.decrypt(data[:12], data[12:], place.encode()).decode()
        except (ValueError, InvalidTag) as error:
            raise SealBrokenError(place, "does not open") from error

    def is_current(self, sealed: str) -> bool:
        """Whether it is sealed with the current key."""
        return sealed.startswith(f"v{self._current}.")
