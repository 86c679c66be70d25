"""Sealing of the secret values of a document with a passphrase.

The key is derived by scrypt. AES-256-GCM authenticates the rest of the document with the values, so that no part of it can
be changed unnoticed. The second half of the derived key distinguishes a wrong passphrase from a changed document. It gives an
attacker who tries passphrases nothing that the authentication tag does not give.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import os
import unicodedata
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from services.apps.domain.errors import DocumentChangedError, PassphraseWrongError
from services.apps.domain.exported_app import SealedValues
from services.common.core.errors import InvalidError, Violation, invalid_field

KDF, CIPHER = "scrypt", "AES-256-GCM"
# What OWASP's Password Storage Cheat Sheet (2025) names for scrypt with 32 MiB: about 0.3 s on a core.
_N, _R, _P = 1 << 15, 8, 3
# A document may come from anywhere: these bound the memory (128 MiB) and time that it costs to open one.
_MOST_N, _MOST_P = 1 << 17, 4
_LEAST_N = 1 << 14  # below it, what was written was no export
_CHECK = b"proximity-app passphrase check"
# Two derivations at once: each takes a core and 32 MiB. Threads of their own, so that other work in threads goes on.
_derivations = ThreadPoolExecutor(max_workers=2, thread_name_prefix="scrypt")


async def seal_values(
    secret: Mapping[str, Mapping[str, str]], passphrase: str, *, authenticated: bytes
) -> SealedValues:
    """Seal values for a document, whose other parts are authenticated with them."""
    salt, nonce = os.urandom(16), os.urandom(12)
    key, check = await _derive(passphrase, salt, n=_N, r=_R, p=_P)
    plain = json.dumps({name: dict(values) for name, values in secret.items()}).encode()
    return SealedValues(
        kdf=KDF,
        salt=_encode(salt),
        n=_N,
        r=_R,
        p=_P,
        cipher=CIPHER,
        nonce=_encode(nonce),
        ciphertext=_encode(AESGCM(key).encrypt(nonce, plain, authenticated)),
        check=_encode(check),
    )


async def open_values(
    sealed: SealedValues, passphrase: str, *, authenticated: bytes
) -> dict[str, dict[str, str]]:
    """Return the sealed values of a document.

    Raises:
        InvalidError: they are sealed in a way that this release does not know.
        PassphraseWrongError: with another passphrase.
        DocumentChangedError: the document was changed after it was written.
    """
    _check_parameters(sealed)
    salt, nonce, ciphertext, expected = (
        _decode(sealed, name) for name in ("salt", "nonce", "ciphertext", "check")
    )
    key, check = await _derive(passphrase, salt, n=sealed.n, r=sealed.r, p=sealed.p)
    if not hmac.compare_digest(check, expected):
        problem = "does not open the document: it is not the passphrase of the export"
        raise PassphraseWrongError(f"passphrase: {problem}", violations=[Violation("passphrase", problem)])
    try:
        found: Any = json.loads(AESGCM(key).decrypt(nonce, ciphertext, authenticated))
    except (InvalidTag, ValueError) as error:
        problem = "was changed after it was exported, or is damaged; use the file as it was written"
        raise DocumentChangedError(
            f"document: {problem}", violations=[Violation("document", problem)]
        ) from error
    return {name: dict(found.get(name) or {}) for name in ("environment", "inputs")}


def render_canonical(document: Mapping[str, Any]) -> bytes:
    """Render a document without its sealed values in the one form that the seal covers.

    JSON writers differ in the order of fields, in empty ones and in how they write whole numbers.
    """
    rest = {name: value for name, value in document.items() if name != "sealed"}
    return json.dumps(_normalise(rest), sort_keys=True, separators=(",", ":")).encode()


# Maps of names: an empty value in one is a value.
_MAPS = frozenset({"environment", "inputs", "credentials", "images"})


def _normalise(value: Any, *, is_map: bool = False) -> Any:
    if isinstance(value, dict):
        found = {str(name): _normalise(one, is_map=name in _MAPS) for name, one in value.items()}
        return found if is_map else {name: one for name, one in found.items() if one}
    if isinstance(value, list | tuple):
        return [_normalise(one) for one in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _check_parameters(sealed: SealedValues) -> None:
    is_power = sealed.n > 0 and sealed.n & (sealed.n - 1) == 0
    if (sealed.kdf, sealed.cipher) != (KDF, CIPHER):
        raise _refuse(
            f"names {sealed.kdf[:40]!r} and {sealed.cipher[:40]!r}; this release opens {KDF} and {CIPHER}"
        )
    if not (is_power and _LEAST_N <= sealed.n <= _MOST_N and sealed.r == _R and 1 <= sealed.p <= _MOST_P):
        raise _refuse(
            f"has parameters of scrypt that no export has: n={sealed.n}, r={sealed.r}, p={sealed.p}"
        )


def _refuse(problem: str) -> InvalidError:
    return invalid_field("document.sealed", problem)


async def _derive(passphrase: str, salt: bytes, *, n: int, r: int, p: int) -> tuple[bytes, bytes]:
    """Return the key of the cipher and the check value of the passphrase."""
    # Keyboards compose accented letters differently.
    text = unicodedata.normalize("NFC", passphrase).encode()

    def derive() -> bytes:
        return Scrypt(salt=salt, length=64, n=n, r=r, p=p).derive(text)

    derived = await asyncio.get_running_loop().run_in_executor(_derivations, derive)
    return derived[:32], hmac.digest(derived[32:], _CHECK, "sha256")[:16]


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decode(sealed: SealedValues, name: str) -> bytes:
    try:
        return base64.b64decode(getattr(sealed, name), validate=True)
    except ValueError as error:
        raise _refuse(f"{name} is no base64") from error
