"""One request as a handler sees it: caller, address, headers of the answer."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import parse_qsl, quote, urlencode

from services.common.identity.tokens import ANONYMOUS, Caller, CredentialsMissingError, User
from services.common.rpc.responses.rendered import Form


def parse_address(address: str) -> str:
    """The address without the port that gRPC shows for direct peers."""
    text = address
    for prefix in ("ipv4:", "ipv6:"):
        if text.startswith(prefix):
            text = text.removeprefix(prefix).rpartition(":")[0]
    return text.replace("%5B", "").replace("%5D", "").strip("[]")[:100]


@lru_cache(maxsize=4096)  # limits ask for it at each call
def parse_network(address: str) -> str:
    """Whom a limit per address counts: the address, of IPv6 the /64 that one customer has."""
    text = parse_address(address)
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        return text
    return text if parsed.version == 4 else str(ipaddress.ip_network(f"{parsed}/64", strict=False))


ACCESS_COOKIE = "proximity-auth-cookie"
REFRESH_COOKIE = "proximity-refresh-cookie"
CSRF_COOKIE = "csrftoken"
# Over https the cookies have names that only https can set, and no sibling domain for its parent (RFC 6265bis); over
# http they have the plain ones, so that a session of one scheme never hides that of the other. `__Host-` demands
# Path=/.
_HTTPS_PREFIXES = {ACCESS_COOKIE: "__Host-", CSRF_COOKIE: "__Host-", REFRESH_COOKIE: "__Secure-"}


@dataclass
class Call:
    """Context of one call: its principal and peer, and what is answered besides the message.

    Attributes:
        method: full name of the RPC, `/package.Service/Method`.
        metadata: what the client sent, names in lower case.
        peer_name: whom the peer's certificate names; empty without mutual TLS.
        secure_cookies: cookies are Secure also where the client came by http.
        caller: who calls.
        is_websocket: it came by a WebSocket, with which pages send no header of their own.
        form: how the answer is wanted; a handler that keeps answers renders them so.
        has_answered: headers of the answer have been sent, so that no more can be.
        request_id: 32 hex digits; the same for every repetition with the same Idempotency-Key, else random. What a
            handler creates takes its ids from it, so that a repetition after a crash finds what the first one made.
        audit_id: of the entry that says that the call was accepted; the same for every repetition too.
    """

    method: str
    metadata: Mapping[str, str]
    peer: str = ""
    peer_name: str = ""
    caller: Caller = ANONYMOUS
    via_cookie: bool = False
    is_websocket: bool = False
    form: Form = Form.WIRE
    has_answered: bool = False
    request_id: str = field(default_factory=lambda: os.urandom(16).hex())
    audit_id: str = field(default_factory=lambda: os.urandom(16).hex())
    http_status: int | None = None
    headers: list[tuple[str, str]] = field(default_factory=list)
    audit_target: str = ""
    secure_cookies: bool = False
    _cookies: dict[str, str] | None = None

    @property
    def user(self) -> User:
        """The user who calls, or on whose behalf a service calls.

        Raises:
            CredentialsMissingError: the call has no user.
        """
        if self.caller.user is None:
            raise CredentialsMissingError("Authentication credentials were not provided")
        return self.caller.user

    @property
    def owner_filter(self) -> int | None:
        """The user id that owned things must have for this caller; None for administrators, who see all."""
        return None if self.user.is_admin else self.user.id

    @property
    def address(self) -> str:
        """Address of the client, as the gateway saw it; of the peer for direct calls."""
        forwarded = self.metadata.get("x-forwarded-for", "")
        return (
            self.metadata.get("x-envoy-external-address") or forwarded.rpartition(",")[2].strip() or self.peer
        )

    @property
    def is_https(self) -> bool:
        """Whether the client came by https."""
        return self.metadata.get("x-forwarded-proto") == "https"

    @property
    def cookies(self) -> Mapping[str, str]:
        """The cookies that the client sent."""
        if self._cookies is None:
            self._cookies = parse_cookies(self.metadata.get("cookie", ""))
        return self._cookies

    def find_cookie(self, name: str) -> str:
        """Return the value of a cookie of ours, under the name that it has for this call's scheme, or ""."""
        return self.cookies.get(name_cookie(name, https=self.is_https), "")

    def set_status(self, status: int) -> None:
        """Answer with this HTTP status instead of the one that the RPC declares."""
        self.http_status = status

    def add_header(self, name: str, value: str) -> None:
        """Add a header to the REST answer (initial metadata of the gRPC one)."""
        self.headers.append((name.lower(), value))

    def set_cookie(
        self, name: str, value: str, *, max_age: int, path: str = "/", http_only: bool = True
    ) -> None:
        """Set a cookie, SameSite=Lax, Secure on https and in production; `max_age` in seconds, 0 removes it.

        Over https its name has a prefix: see `name_cookie`.
        """
        parts = [
            f"{name_cookie(name, https=self.is_https)}={value}",
            f"Path={path}",
            f"Max-Age={max_age}",
            "SameSite=Lax",
        ]
        if http_only:
            parts.append("HttpOnly")
        if self.is_https or self.secure_cookies:
            parts.append("Secure")
        self.add_header("set-cookie", "; ".join(parts))

    def add_location(self, path: str, *, retry_after: int = 1) -> None:
        """Say where to look for what was accepted, and when."""
        self.add_header("location", path)
        self.add_header("retry-after", str(retry_after))

    def has_state(self, etag: str, *, max_age: int | None = None) -> bool:
        """Name the state that is answered; True when the client has it already and REST answers 304 without a body.

        Args:
            etag: opaque; what compression made of it matches as well.
            max_age: seconds that a cache may serve the answer without revalidation; None: it revalidates each time.
        """
        self.add_header("etag", f'"{etag}"')
        if max_age is not None:
            self.add_header("cache-control", f"public, max-age={max_age}")
        known = {
            part.strip().removeprefix("W/") for part in self.metadata.get("if-none-match", "").split(",")
        }
        if known.isdisjoint({f'"{etag}"', "*"}):
            return False
        self.set_status(304)
        return True

    def add_page_links(self, *, page: int, per_page: int, total: int) -> None:
        """Name the first, previous, next and last page of a list of `total` entries (RFC 8288), for calls over REST.

        The other parameters of the request stay, so that a filtered list goes on filtered. Native gRPC calls have no
        address to name and get nothing.
        """
        target = self.metadata.get("x-envoy-original-path", "")
        if target:
            self.add_header("link", render_page_links(target, page=page, per_page=per_page, total=total))

    def add_list_links(
        self, *, page: int, per_page: int, total: int, after: object, last: object, count: int
    ) -> None:
        """Name the pages of a list, as `add_page_links`; of one that begins behind an entry, only the first and the next.

        Args:
            page: number of the page, of a list by number.
            per_page: size of a page.
            total: entries of all pages.
            after: the entry that the list begins behind; empty: it has a number.
            last: the last entry that it has.
            count: how many it has.
        """
        target = self.metadata.get("x-envoy-original-path", "")
        if not after:
            self.add_page_links(page=page, per_page=per_page, total=total)
        elif target:
            self.add_header(
                "link", render_after_links(target, per_page=per_page, last=last if count == per_page else "")
            )


def name_cookie(name: str, *, https: bool) -> str:
    """Return the name of a cookie of ours for a scheme: `__Host-csrftoken` over https, `csrftoken` over http."""
    return f"{_HTTPS_PREFIXES.get(name, '')}{name}" if https else name


def parse_cookies(header: str) -> dict[str, str]:
    """The cookies of a Cookie header, each by itself: those of whatever else runs on the same machine come along.

    Browsers send cookies of every port, and what others write (JSON, brackets, no name at all) must not hide ours.
    """
    pairs = (part.partition("=") for part in header.split(";"))
    return {name.strip(): value.strip().strip('"') for name, is_pair, value in pairs if is_pair}


@lru_cache(maxsize=1000)
def render_page_links(target: str, *, page: int, per_page: int, total: int) -> str:
    """The Link header of page `page` of the list at the path and query `target`."""
    path, _, query = target.partition("?")
    others = [(name, value) for name, value in parse_qsl(query) if name not in {"page", "per_page"}]
    last = max(1, -(-total // per_page))
    # Behind the last page, what comes before is the last.
    numbers = {"first": 1, "prev": min(page - 1, last), "next": page + 1, "last": last}
    return ", ".join(
        f'<{quote(path, safe="/%")}?{urlencode([*others, ("page", number), ("per_page", per_page)])}>; rel="{name}"'
        for name, number in numbers.items()
        if 1 <= number <= last
    )


def render_after_links(target: str, *, per_page: int, last: object) -> str:
    """The Link header of a list at the path and query `target` that begins behind an entry; without `last`, it ends there."""
    path, _, query = target.partition("?")
    others = [(name, value) for name, value in parse_qsl(query) if name not in {"page", "per_page", "after"}]
    pages = {"first": [], "next": [("after", last)] if last else None}
    return ", ".join(
        f'<{quote(path, safe="/%")}?{urlencode([*others, *extra, ("per_page", per_page)])}>; rel="{name}"'
        for name, extra in pages.items()
        if extra is not None
    )
