"""A channel to the gateway and the stubs on it: TLS, tokens, retries."""

from __future__ import annotations

import hashlib
import os
import socket
import ssl
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import urlsplit

import grpc
from google.protobuf.descriptor import MethodDescriptor
from proximity.apps.v1 import apps_service_pb2_grpc
from proximity.auth.v1 import auth_service_pb2, auth_service_pb2_grpc
from proximity.backups.v1 import backups_service_pb2_grpc
from proximity.catalog.v1 import catalog_service_pb2_grpc
from proximity.inventory.v1 import inventory_service_pb2_grpc

from proximity_cli.failures import NOT_REACHABLE, NOT_SIGNED_IN, CliError, find_reason
from proximity_cli.inputs import is_terminal, prompt
from proximity_cli.session import Session, lock_session, parse_address, read_session, write_session

T = TypeVar("T")
_ATTEMPTS = 3
_DELAY_S = 0.4
_TIMEOUT_S = 30.0
_TLS_TIMEOUT_S = 10.0
_EARLY_S = 30.0  # a token that ends so soon is renewed
_OPTIONS = (("grpc.keepalive_time_ms", 30_000), ("grpc.max_receive_message_length", 64 << 20))


class Platform:
    """The platform as one user sees it.

    Args:
        session: where and who.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.channel = open_channel(session)
        self.auth = auth_service_pb2_grpc.AuthServiceStub(self.channel)
        self.apps = apps_service_pb2_grpc.AppsServiceStub(self.channel)
        self.backups = backups_service_pb2_grpc.BackupsServiceStub(self.channel)
        self.catalog = catalog_service_pb2_grpc.CatalogServiceStub(self.channel)
        self.hosts = inventory_service_pb2_grpc.HostServiceStub(self.channel)
        self.system = inventory_service_pb2_grpc.SystemServiceStub(self.channel)

    def find_stub(self, method: MethodDescriptor) -> Callable[..., Any]:
        """Return the function that calls an RPC."""
        service = method.containing_service.full_name
        stubs = (self.auth, self.apps, self.backups, self.catalog, self.hosts, self.system)
        stub = next(each for each in stubs if type(each).__name__ == f"{service.rpartition('.')[2]}Stub")
        found: Callable[..., Any] = getattr(stub, method.name)
        return found

    def read(self, rpc: Callable[..., T], request: Any, timeout_s: float = _TIMEOUT_S) -> T:  # noqa: ANN401
        """Call an RPC that changes nothing; tried again while the platform is away."""
        return self._authenticate(
            lambda: self._try(lambda: rpc(request, timeout=timeout_s, metadata=self._sign()))
        )

    def create(self, rpc: Callable[..., T], request: Any) -> T:  # noqa: ANN401 - any message
        """Call an RPC that makes something, under a key by which a repetition makes it once."""
        metadata = (("idempotency-key", uuid.uuid4().hex),)
        return self._confirm(
            lambda: self._try(lambda: rpc(request, timeout=_TIMEOUT_S, metadata=(*self._sign(), *metadata)))
        )

    def change(self, rpc: Callable[..., T], request: Any) -> T:  # noqa: ANN401 - any message
        """Call an RPC once."""
        return self._confirm(lambda: rpc(request, timeout=_TIMEOUT_S, metadata=self._sign()))

    def stream(
        self,
        rpc: Callable[..., Iterable[T]],
        request: Any,  # noqa: ANN401 - any message
        timeout_s: float | None = None,
    ) -> Iterable[T]:
        """Call an RPC that answers with a stream, which has no end unless a timeout is given."""
        return rpc(request, metadata=self._sign(), timeout=timeout_s)

    def step_up(self, password: str) -> None:
        """Prove the user's identity again and go on with the token that this gives.

        Raises:
            CliError: the password is wrong.
        """
        request = auth_service_pb2.StepUpRequest(password=password)
        try:
            answer = self.auth.StepUp(request, timeout=_TIMEOUT_S, metadata=self._sign())
        except grpc.RpcError as error:
            if isinstance(error, grpc.Call) and error.code() is grpc.StatusCode.UNAUTHENTICATED:
                raise CliError("Wrong password", status=NOT_SIGNED_IN) from error
            raise
        with lock_session():
            self.session = replace(
                read_session(), access=answer.access, expires_at=time.time() + answer.expires_in
            )
            write_session(self.session)

    def _confirm(self, call: Callable[[], T]) -> T:
        """Make a call; where it demands a recent sign-in, ask the person at the terminal for the password first."""
        try:
            return self._authenticate(call)
        except grpc.RpcError as error:
            if find_reason(error) != "STEP_UP_REQUIRED" or not is_terminal():
                raise
        self.step_up(prompt("Confirm your password", hidden=True))
        return call()

    def _authenticate(self, call: Callable[[], T]) -> T:
        """Make a call; where its token is refused before its time, once more with a new one.

        The keys that tokens are signed with may have been replaced meanwhile.
        """
        used = self.session.access
        try:
            return call()
        except grpc.RpcError as error:
            refused = isinstance(error, grpc.Call) and error.code() == grpc.StatusCode.UNAUTHENTICATED
            if not refused or not self.session.refresh or find_reason(error) == "STEP_UP_REQUIRED":
                raise
        with lock_session():
            current = read_session()
            self.session = self._refresh(current) if current.access == used else current
        return call()

    def _try(self, call: Callable[[], T]) -> T:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return call()
            except grpc.RpcError as error:
                away = isinstance(error, grpc.Call) and error.code() == grpc.StatusCode.UNAVAILABLE
                if not away or attempt == _ATTEMPTS:
                    raise
            time.sleep(_DELAY_S * attempt)
        raise AssertionError("unreachable")

    def _sign(self) -> tuple[tuple[str, str], ...]:
        if self.session.refresh and self.session.expires_at - time.time() < _EARLY_S:
            with lock_session():
                self.session = self._renew(read_session())
        return (("authorization", f"Bearer {self.session.access}"),)

    def freshen(self, least_s: float) -> None:
        """Renew a token that ends within `least_s` seconds, before a call that lasts as long as its token."""
        if self.session.refresh and self.session.expires_at - time.time() < least_s:
            with lock_session():
                self.session = self._renew(read_session(), least_s=least_s)

    def _renew(self, stored: Session, *, least_s: float = _EARLY_S) -> Session:
        if stored.expires_at - time.time() >= least_s:  # another process was faster
            return stored
        return self._refresh(stored)

    def _refresh(self, stored: Session) -> Session:
        request = auth_service_pb2.RefreshTokenRequest(refresh=stored.refresh)
        pair = self.auth.RefreshToken(request, timeout=_TIMEOUT_S)
        renewed = replace(
            stored, access=pair.access, refresh=pair.refresh, expires_at=time.time() + pair.expires_in
        )
        write_session(renewed)
        return renewed


def connect() -> Platform:
    """Return the platform of the session.

    Raises:
        CliError: nobody is signed in, or the address or certificate will not do.
    """
    return Platform(read_session())


def open_channel(session: Session) -> grpc.Channel:
    """Return a channel to the session's address.

    Raises:
        CliError: the address is none, or its certificate is not the pinned one.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # what goes wrong is said by the commands
    parts = urlsplit(parse_address(session.url))
    assert parts.hostname is not None, "an address has a host"
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if parts.scheme == "http":
        return grpc.insecure_channel(f"{host}:{port}", options=_OPTIONS)
    if session.pin or session.insecure:
        certificate, name = fetch_certificate(parts.hostname, port)
        check_pin(certificate, session)
        options = (*_OPTIONS, ("grpc.ssl_target_name_override", name)) if name else _OPTIONS
        credentials = grpc.ssl_channel_credentials(certificate.encode())
        return grpc.secure_channel(f"{host}:{port}", credentials, options=options)
    try:
        check_trust(session)
    except CliError as error:
        if error.status != NOT_REACHABLE:  # calls are tried again
            raise
    credentials = grpc.ssl_channel_credentials(session.ca.encode() or None)
    return grpc.secure_channel(f"{host}:{port}", credentials, options=_OPTIONS)


def fetch_certificate(host: str, port: int) -> tuple[str, str]:
    """Return the certificate (PEM) that a server shows, and a name in it.

    Raises:
        CliError: it shows none.
    """
    try:
        pem = ssl.get_server_certificate((host, port), timeout=_TLS_TIMEOUT_S)
        return pem, _find_name(host, port, pem)
    except OSError as error:
        raise CliError(f"{host}:{port} shows no usable certificate: {error}", status=NOT_REACHABLE) from error


def _find_name(host: str, port: int, pem: str) -> str:
    context = ssl.create_default_context(cadata=pem)
    context.check_hostname = False
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    with (
        socket.create_connection((host, port), timeout=_TLS_TIMEOUT_S) as plain,
        context.wrap_socket(plain, server_hostname=host) as secured,
    ):
        names: Any = (secured.getpeercert() or {}).get("subjectAltName", ())
    return next((str(value) for kind, value in names if kind == "DNS"), "")


def check_trust(session: Session) -> None:
    """See that a server's certificate will be trusted, before a password is sent.

    Raises:
        CliError: it will not; the message names its fingerprint. Or there is no server.
    """
    parts = urlsplit(session.url)
    if parts.scheme != "https" or session.insecure or session.pin or not parts.hostname:
        return
    address = (parts.hostname, parts.port or 443)
    context = _trust(session)
    try:
        with (
            socket.create_connection(address, timeout=_TLS_TIMEOUT_S) as plain,
            context.wrap_socket(plain, server_hostname=parts.hostname),
        ):
            return
    except ssl.SSLCertVerificationError as error:
        found = read_fingerprint(ssl.get_server_certificate(address, timeout=_TLS_TIMEOUT_S))
        raise CliError(
            f"The certificate of {session.url} is not trusted: {error.verify_message}",
            hint=f"Its SHA-256 is {found}\nIf that is what the server's owner says: --pin {found}, or PROXIMITY_FINGERPRINT={found}",
        ) from error
    except OSError as error:
        raise CliError(f"{session.url} does not answer: {error}", status=NOT_REACHABLE) from error


def _trust(session: Session) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cadata=session.ca or None)
    except (ssl.SSLError, ValueError) as error:  # ValueError: characters that are no ASCII
        raise CliError(
            "The file of certificates to trust has none",
            hint="It holds certificates as PEM: -----BEGIN CERTIFICATE-----",
        ) from error


def check_pin(certificate: str, session: Session) -> None:
    """Hold a certificate against the pinned fingerprint, if there is one.

    Raises:
        CliError: it is another one.
    """
    found = read_fingerprint(certificate)
    if session.pin and found != session.pin.replace(":", "").lower():
        raise CliError(f"The certificate of {session.url} is not the pinned one: its SHA-256 is {found}")


def read_fingerprint(certificate: str) -> str:
    """Return the SHA-256 of a certificate, hexadecimal."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).hexdigest()
