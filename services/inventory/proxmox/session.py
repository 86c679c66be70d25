"""Sessions on proxmoxer: a ticket shared by all threads, certificates verified or pinned."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import requests
import urllib3
from proxmoxer.backends.https import ProxmoxHTTPApiTokenAuth, ProxmoxHTTPAuthBase
from requests.adapters import HTTPAdapter
from urllib3.util.ssl_ import create_urllib3_context

from services.inventory.domain.access import Access
from services.inventory.domain.errors import HostCredentialsRefusedError
from services.inventory.proxmox.answers import Answer, UnexpectedAnswer, send

CONNECT_TIMEOUT_S = 5.0  # a host in another place answers in 0.3 s; the rest is for lost packets
READ_TIMEOUT_S = 35.0  # Proxmox itself gives up after 30
# Operations that wait for other credentials ask every two seconds each, and a host that counts failures shuts us out.
_REFUSAL_AGE_S = 5.0  # how long a refused sign-in is not repeated; other credentials are another client
_TICKET_AGE_S = 3600.0  # Proxmox accepts a ticket for two hours
_PRODUCTS = {"PBS": "Proxmox Backup Server", "PMG": "Proxmox Mail Gateway"}


class _PinnedAdapter(HTTPAdapter):
    """Accepts the one certificate with this fingerprint, whatever authority signed it."""

    def __init__(self, fingerprint: str) -> None:
        self._fingerprint = fingerprint.replace(":", "").lower()
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        kwargs["assert_fingerprint"] = self._fingerprint
        # Else each connection reads the authorities of the system, 50 ms of CPU, to ask none of them.
        kwargs["ssl_context"] = create_urllib3_context(cert_reqs=ssl.CERT_NONE)
        super().init_poolmanager(*args, **kwargs)


class Ticket(ProxmoxHTTPAuthBase):  # type: ignore[misc]
    """A sign-in by password: the ticket of all threads, renewed every hour and after a 401."""

    def __init__(self, find_access: Callable[[], Access], verify: bool) -> None:
        super().__init__(timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S), verify_ssl=verify)
        self._find_access = find_access
        self._lock = threading.Lock()  # the threads that need a new ticket at once share one sign-in
        self._ticket = ""
        self._csrf = ""
        self._born = 0.0
        self._refusal: HostCredentialsRefusedError | None = None
        self._refused_at = 0.0

    def get_cookies(self) -> Any:
        """The ticket as a cookie; signs in first when there is none."""
        self._renew_when_old()
        jar = requests.cookies.RequestsCookieJar()
        jar.set("PVEAuthCookie", self._ticket)
        return jar

    def get_tokens(self) -> tuple[str, str]:
        """Ticket and CSRF token."""
        self._renew_when_old()
        return self._ticket, self._csrf

    def drop(self) -> None:
        """Sign in anew before the next request: the host did not accept the ticket."""
        self._ticket = ""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add what a write needs besides the cookie."""
        if request.method != "GET":
            request.headers["CSRFPreventionToken"] = self._csrf
        return request

    def _renew_when_old(self) -> None:
        with self._lock:
            if self._ticket and time.monotonic() - self._born < _TICKET_AGE_S:
                return
            if self._refusal is not None and time.monotonic() - self._refused_at < _REFUSAL_AGE_S:
                raise HostCredentialsRefusedError(self._refusal.message)
            access = self._find_access()
            credentials = {"username": access.user, "password": access.password}
            with _new_session(access) as session:
                answer = send(
                    session,
                    "POST",
                    url=f"{access.base_url}/access/ticket",
                    data=credentials,
                    timeout=self.timeout,
                    verify=self.verify_ssl,
                )
            try:
                self._ticket, self._csrf = _read_ticket(answer, access)
            except HostCredentialsRefusedError as error:
                self._refusal, self._refused_at = error, time.monotonic()
                raise
            self._refusal = None
            self._born = time.monotonic()


def _read_ticket(answer: Answer, access: Access) -> tuple[str, str]:
    """The ticket and the CSRF token of a sign-in.

    Raises:
        HostCredentialsRefusedError: the host refuses the user.
        UnexpectedAnswer: it answers, and not as Proxmox VE.
    """
    # The web server answers and its back end does not: an outage, and no refusal of the credentials.
    if answer.status >= 500:  # the node is there, its services are not
        raise requests.exceptions.ConnectionError(f"its sign-in answers {answer.status} {answer.reason}")
    data = answer.data if answer.status == 200 else None
    if data is None:
        raise HostCredentialsRefusedError(f"{access.name} refuses {access.user}: {answer.reason}")
    if not isinstance(data, dict) or not isinstance(data.get("ticket"), str):
        raise UnexpectedAnswer("a sign-in without a ticket")
    if data.get("NeedTFA"):
        raise HostCredentialsRefusedError(
            f"{access.name} refuses {access.user}: a second factor is required; use an API token"
        )
    ticket = data["ticket"]
    if not ticket.startswith("PVE:"):
        product = _PRODUCTS.get(ticket.partition(":")[0], "another product")
        raise UnexpectedAnswer(f"a ticket of {product}")
    return ticket, str(data.get("CSRFPreventionToken") or "")


def make_auth(access: Access, find_access: Callable[[], Access]) -> ProxmoxHTTPAuthBase:
    """Build the authentication of all threads' requests; `find_access` returns the node in use."""
    verify = access.verify_ssl and not access.fingerprint
    if not access.token_id:
        return Ticket(find_access, verify)
    user, _, name = access.token_id.rpartition("!")
    return ProxmoxHTTPApiTokenAuth(
        user or access.user,
        name,
        access.token_secret,
        verify_ssl=verify,
        timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
    )


def make_headers(auth: ProxmoxHTTPAuthBase) -> dict[str, str]:
    """Return the headers that authenticate a request: the API token, or the ticket as a cookie."""
    if isinstance(auth, Ticket):
        return {"Cookie": f"PVEAuthCookie={quote(auth.get_tokens()[0], safe='')}"}
    signed: requests.PreparedRequest = auth(requests.Request("GET", "https://host/").prepare())
    return {"Authorization": str(signed.headers["Authorization"])}


class ApiSession:
    """The API as one thread reaches it: one connection, used again for each request."""

    def __init__(self, access: Access, auth: ProxmoxHTTPAuthBase) -> None:
        self._base_url = access.base_url
        self._auth = auth
        self._session = _new_session(access)

    def request(self, method: str, path: str, *, params: dict[str, Any]) -> Answer:
        """Send a request; parameters go into the query of GET and DELETE, else into the body as a form.

        Raises:
            UnexpectedAnswer: what comes is no answer of Proxmox VE.
            requests.RequestException: no answer came.
        """
        place = "params" if method in ("get", "delete") else "data"
        return send(
            self._session,
            method.upper(),
            url=f"{self._base_url}/{path.strip('/')}",
            auth=self._auth,
            cookies=self._auth.get_cookies(),
            timeout=self._auth.timeout,
            verify=self._auth.verify_ssl,
            **{place: params},
        )

    def close(self) -> None:
        """Close the connection."""
        self._session.close()


def _new_session(access: Access) -> requests.Session:
    session = requests.Session()
    session.headers.update({"Accept": "application/json", "Accept-Encoding": "identity"})
    if access.fingerprint:
        session.mount("https://", _PinnedAdapter(access.fingerprint))
    return session


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
