"""Translation of refusals of Proxmox, and of missing answers, into errors of the domain."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from services.common.core.errors import DomainError
from services.common.core.text import make_printable
from services.inventory.domain.access import Access
from services.inventory.domain.errors import (
    ContainerLockedError,
    HostAnswerUnexpectedError,
    HostCredentialsRefusedError,
    HostUnreachableError,
    LockTimeoutError,
    ProxmoxRefusedError,
    QuorumMissingError,
    WriteUncertainError,
)
from services.inventory.domain.lock_texts import CONTAINER_LOCKED, LOCKED, NO_QUORUM

if TYPE_CHECKING:  # annotations only: what refuses is known without the HTTP library
    from services.inventory.proxmox.answers import Answer

_UNREACHED = {595}
_NO_ANSWER = {596, 597, 598, 599, 502, 503, 504}  # those above 595 are of the proxy: it had sent what it got
_CAUSES = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        ("ingerprint", "its certificate is not the pinned one"),
        (
            "CERTIFICATE_VERIFY_FAILED|certificate verify failed",
            "its certificate cannot be verified; give its fingerprint, or set verify_ssl to false",
        ),
        (
            "(?i)wrong.version.number|record.layer|http.request|unexpected.eof|packet length",
            "the port speaks no TLS; https is needed, usually at port 8006",
        ),
        ("refused", "connection refused"),
        ("timed out", "timed out"),
        (
            "resolve|Name or service|No address associated|getaddrinfo|label empty or too long|encoding with 'idna'",
            "its name cannot be resolved",
        ),
        ("No route to host|unreachable", "no route to the host"),
        (
            "RemoteDisconnected|IncompleteRead|broke off|Connection reset|Connection aborted|EOF",
            "it closes the connection without a whole answer",
        ),
        (
            "[Ii]nvalid (leading whitespace|header|.*header)|latin-1",
            "the credentials hold characters that no header may have; set them again",
        ),
    )
)
_BUSY_WAIT_S = 5  # before the next look: backups and elections take many seconds


def translate(answer: Answer, access: Access, *, method: str, path: str) -> DomainError:
    """Translate an answer with an error status into an error of the domain."""
    status, reason = answer.status, make_printable(answer.reason) or f"status {answer.status}"
    if status == 401:
        return HostCredentialsRefusedError(f"{access.name} refuses {access.user}: {reason}")
    if status in _UNREACHED or (status in _NO_ANSWER and method == "get"):
        return HostUnreachableError(f"{access.name}: no answer for {path}: {status} {reason}", retry_after=5)
    if status in _NO_ANSWER:
        return uncertain(access, method, path=path)
    if LOCKED.search(reason):
        return LockTimeoutError(f"{access.name}: {reason}", retry_after=2)
    if method != "get" and NO_QUORUM.search(reason):
        return QuorumMissingError(f"{access.name}: {reason}", retry_after=_BUSY_WAIT_S)
    if method != "get" and CONTAINER_LOCKED.search(reason):
        return ContainerLockedError(f"{access.name}: {reason} ({path})", retry_after=2)
    # Proxmox stopped waiting for its own command, which may go on.
    if "got timeout" in reason and method != "get":  # a command of the node was cut off in the middle
        return uncertain(access, method, path=path)
    fields = "; ".join(f"{key}: {value}" for key, value in answer.errors.items())
    sentence = f"{access.name}: {reason}" + (f" ({fields})" if fields else "")
    return ProxmoxRefusedError(sentence, metadata={"status": str(status), "said": f"{reason} {fields}"[:500]})


def uncertain(access: Access, method: str, *, path: str) -> WriteUncertainError:
    """Build the error of a write without an answer: it may have been carried out."""
    return WriteUncertainError(f"{access.name} gave no answer to {method.upper()} {path}", retry_after=1)


def unreachable(error: Exception, access: Access) -> HostUnreachableError:
    """Build the error of a host that does not answer."""
    return HostUnreachableError(
        f"{access.name} ({access.host}:{access.port}) does not answer: {explain(error)}",
        metadata={"scope": "host"},
        retry_after=5,
    )


def unexpected(error: Exception, access: Access, *, method: str, path: str) -> DomainError:
    """Build the error of an address at which no Proxmox VE answers; a write may have been passed on to one."""
    sentence = f"{access.name} ({access.host}:{access.port}) does not answer as Proxmox VE: it answers with {make_printable(str(error))}"
    if method != "get":
        return WriteUncertainError(f"{sentence} to {method.upper()} {path}", retry_after=1)
    return HostAnswerUnexpectedError(sentence, metadata={"scope": "host"}, retry_after=5)


def explain(error: Exception) -> str:
    """Describe the cause of a failed connection."""
    text = str(error)
    for pattern, words in _CAUSES:
        if pattern.search(text):
            return words
    if "Timeout" in type(error).__name__:
        return "timed out"
    return f"the connection failed ({text[:120]})" if text else "the connection failed"
