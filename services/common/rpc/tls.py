"""Mutual TLS between the gateway and the services: each shows a certificate of its own name, signed by one authority."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from services.registry import SERVICES

GATEWAY = "gateway"
PEERS = frozenset({GATEWAY, *SERVICES})
_Options = Sequence[tuple[str, Any]]


@dataclass(frozen=True)
class PeerTls:
    """A process's own certificate and the authority that all of them trust; all PEM."""

    authority: bytes
    chain: bytes
    key: bytes = field(repr=False)

    def make_server_credentials(self) -> grpc.ServerCredentials:
        """Credentials of a server that refuses peers without a certificate of the authority."""
        return grpc.ssl_server_credentials(
            [(self.key, self.chain)], root_certificates=self.authority, require_client_auth=True
        )

    def make_channel_credentials(self) -> grpc.ChannelCredentials:
        """Credentials of a client that shows its own certificate."""
        return grpc.ssl_channel_credentials(self.authority, self.key, self.chain)


def read_tls(directory: Path | None, name: str) -> PeerTls | None:
    """Read `ca.crt`, `<name>.crt` and `<name>.key`; None where no directory is set.

    Raises:
        FileNotFoundError: one of them is missing.
    """
    if directory is None:
        return None
    return PeerTls(
        authority=(directory / "ca.crt").read_bytes(),
        chain=(directory / f"{name}.crt").read_bytes(),
        key=(directory / f"{name}.key").read_bytes(),
    )


def open_channel(
    address: str, service: str, *, tls: PeerTls | None, options: _Options = ()
) -> grpc.aio.Channel:
    """Open a channel to a service. With TLS the server must present that service's certificate, at any address."""
    if tls is None:
        return grpc.aio.insecure_channel(address, options=options)
    # Certificates name services, not addresses, so they stay valid when a service moves.
    named = (*options, ("grpc.ssl_target_name_override", service), ("grpc.default_authority", service))
    return grpc.aio.secure_channel(address, tls.make_channel_credentials(), options=named)


def find_peer_name(auth_context: dict[str, Any] | None) -> str:
    """Whom the certificate of a connection names: a service or the gateway; empty for anybody else."""
    names = (auth_context or {}).get("x509_subject_alternative_name", ())
    known = {name.decode(errors="replace") for name in names} & PEERS
    # A certificate with several names could act as either.
    return known.pop() if len(known) == 1 else ""
