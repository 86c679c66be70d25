"""What becomes of a request that Proxmox refused or did not answer: an error of the domain, in Proxmox's own words."""

from __future__ import annotations

import re
import ssl

import requests
import urllib3

from services.common.core.errors import DomainError
from services.common.core.text import make_printable
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
from services.inventory.proxmox.answers import Answer, UnexpectedAnswer
from services.inventory.proxmox.session import Access

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
_LOCKED = re.compile(
    r"can't lock file|got lock (request )?timeout|unable to (acquire|get) \S*\s*lock"
    r"|detected modified configuration",  # somebody changed it meanwhile: look and write again
    re.IGNORECASE,
)
_CONTAINER_LOCKED = re.compile(r"(?:CT|VM) (?:\d+ )?is locked(?: \([^)]*\))?", re.IGNORECASE)
# Without quorum /etc/pve is read-only, which is what some calls say instead.
_NO_QUORUM = re.compile(r"no quorum|not quorate|/etc/pve/\S* - Permission denied", re.IGNORECASE)
_BUSY_WAIT_S = 5  # before the next look: backups and elections take many seconds


def translate(answer: Answer, access: Access, *, method: str, path: str) -> DomainError:
    """The error of the domain that an answer with an error's status is."""
    status, reason = answer.status, make_printable(answer.reason) or f"status {answer.status}"
    if status == 401:
        return HostCredentialsRefusedError(f"{access.name} refuses {access.user}: {reason}")
    if status in _UNREACHED or (status in _NO_ANSWER and method == "get"):
        return HostUnreachableError(f"{access.name}: no answer for {path}: {status} {reason}", retry_after=5)
    if status in _NO_ANSWER:
        return uncertain(access, method, path=path)
    if _LOCKED.search(reason):
        return LockTimeoutError(f"{access.name}: {reason}", retry_after=2)
    if method != "get" and _NO_QUORUM.search(reason):
        return QuorumMissingError(f"{access.name}: {reason}", retry_after=_BUSY_WAIT_S)
    if method != "get" and _CONTAINER_LOCKED.search(reason):
        return ContainerLockedError(f"{access.name}: {reason} ({path})", retry_after=2)
    if "got timeout" in reason and method != "get":  # a command of the node was cut off in the middle
        return uncertain(access, method, path=path)
    fields = "; ".join(f"{key}: {value}" for key, value in answer.errors.items())
    sentence = f"{access.name}: {reason}" + (f" ({fields})" if fields else "")
    return ProxmoxRefusedError(sentence, metadata={"status": str(status), "said": f"{reason} {fields}"[:500]})


def is_held_up(exit_status: str) -> bool:
    """Whether a task failed because of a lock or a missing quorum, so that another one succeeds later."""
    return any(one.search(exit_status) for one in (_LOCKED, _CONTAINER_LOCKED, _NO_QUORUM))


def uncertain(access: Access, method: str, *, path: str) -> WriteUncertainError:
    """No answer came to a write: it may have been done."""
    return WriteUncertainError(f"{access.name} gave no answer to {method.upper()} {path}", retry_after=1)


def unreachable(error: Exception, access: Access) -> HostUnreachableError:
    """The host as a whole does not answer."""
    return HostUnreachableError(
        f"{access.name} ({access.host}:{access.port}) does not answer: {explain(error)}",
        metadata={"scope": "host"},
        retry_after=5,
    )


def unexpected(error: UnexpectedAnswer, access: Access, *, method: str, path: str) -> DomainError:
    """What answers at the host's address is no Proxmox VE; a write that it got may have been passed on."""
    sentence = f"{access.name} ({access.host}:{access.port}) does not answer as Proxmox VE: it answers with {make_printable(str(error))}"
    if method != "get":
        return WriteUncertainError(f"{sentence} to {method.upper()} {path}", retry_after=1)
    return HostAnswerUnexpectedError(sentence, metadata={"scope": "host"}, retry_after=5)


def said(error: DomainError) -> str:
    """What Proxmox itself said, in a refusal."""
    return error.metadata.get("said", error.message)


def was_never_sent(error: Exception) -> bool:
    """Whether no request can have left: there was no connection, or a certificate that is not trusted.

    TLS that breaks later is no such case: the request may be on its way by then.
    """
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return True
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    if isinstance(reason, urllib3.exceptions.SSLError):
        return "ingerprint" in str(reason) or any(
            isinstance(one, ssl.SSLCertVerificationError) for one in reason.args
        )
    return isinstance(reason, urllib3.exceptions.NewConnectionError)


def explain(error: Exception) -> str:
    """Why a connection failed, in words that lead to the cause."""
    text = str(error)
    for pattern, words in _CAUSES:
        if pattern.search(text):
            return words
    if "Timeout" in type(error).__name__:
        return "timed out"
    return f"the connection failed ({text[:120]})" if text else "the connection failed"
