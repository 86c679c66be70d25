"""What becomes of a request that Proxmox refused or did not answer: an error of the domain, in Proxmox's own words."""

from __future__ import annotations

import re
import ssl
from typing import Any

import requests
import urllib3
from proxmoxer.core import ResourceException

from services.common.errors import DomainError
from services.inventory.domain.errors import (
    HostCredentialsRefusedError,
    HostUnreachableError,
    LockTimeoutError,
    ProxmoxRefusedError,
    WriteUncertainError,
)
from services.inventory.proxmox.session import Access

_UNREACHED = {595}
_NO_ANSWER = {596, 597, 598, 599, 502, 503, 504}  # those above 595 are of the proxy: it had sent what it got
_LOCKED = re.compile(
    r"can't lock file|got lock (request )?timeout|unable to (acquire|get) \S*\s*lock", re.IGNORECASE
)


def translate(error: ResourceException, access: Access, *, method: str, path: str) -> DomainError:
    """What an answer with an error's status means."""
    status = int(error.status_code)
    reason = str(error.content or error.status_message or "").strip() or str(error.status_message)
    if status == 401:
        return HostCredentialsRefusedError(f"{access.name} refuses {access.user}: {reason}")
    if status in _UNREACHED or (status in _NO_ANSWER and method == "get"):
        return HostUnreachableError(
            f"{access.name}: no answer for {path}: {error.status_message}", retry_after=5
        )
    if status in _NO_ANSWER:
        return uncertain(access, method, path=path)
    if _LOCKED.search(reason):
        return LockTimeoutError(f"{access.name}: {reason}", retry_after=2)
    if "got timeout" in reason and method != "get":  # a command of the node was cut off in the middle
        return uncertain(access, method, path=path)
    fields = "; ".join(f"{key}: {value}" for key, value in _as_dict(error.errors).items())
    sentence = f"{access.name}: {reason}" + (f" ({fields})" if fields else "")
    return ProxmoxRefusedError(sentence, metadata={"status": str(status), "said": f"{reason} {fields}"[:500]})


def uncertain(access: Access, method: str, *, path: str) -> WriteUncertainError:
    """No answer came to a write: it may have been done."""
    return WriteUncertainError(f"{access.name} gave no answer to {method.upper()} {path}", retry_after=1)


def unreachable(error: Exception, access: Access) -> HostUnreachableError:
    """The host as a whole does not answer."""
    return HostUnreachableError(
        f"{access.name} ({access.host}:{access.port}) does not answer: {_explain(error)}",
        metadata={"scope": "host"},
        retry_after=5,
    )


def said(error: DomainError) -> str:
    """What Proxmox itself said, in a refusal."""
    return error.metadata.get("said", error.message)


def _as_dict(errors: Any) -> dict[str, Any]:
    return errors if isinstance(errors, dict) else {}


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


def _explain(error: Exception) -> str:
    text = str(error)
    if "ingerprint" in text:
        return "its certificate is not the pinned one"
    if "CERTIFICATE_VERIFY_FAILED" in text or "certificate verify failed" in text:
        return "its certificate cannot be verified; give its fingerprint, or set verify_ssl to false"
    if "refused" in text:
        return "connection refused"
    if "timed out" in text or "Timeout" in type(error).__name__:
        return "timed out"
    if "resolve" in text or "Name or service" in text:
        return "its name cannot be resolved"
    return type(error).__name__
