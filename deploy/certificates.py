"""`python -m deploy.certificates DIR`: certificates for mutual TLS between the gateway and the services.

Makes an authority and, for the gateway and each service, a certificate of its name. What is there and does not end
within 30 days stays as it is, so it can run again at any time. The authority's key (`ca.key`) is needed only here:
keep it away from the machines that run the platform.
"""

from __future__ import annotations

import argparse
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from services.registry import PEERS

AUTHORITY = "ca"
_AUTHORITY_DAYS = 3650
_DAYS = 397
_RENEW = timedelta(days=30)


def make_certificates(directory: Path, *, days: int = _DAYS) -> list[str]:
    """Make what is missing or ends soon and return its names; keys are readable by their owner alone."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = []
    if not _is_good(directory, AUTHORITY):
        _make_authority(directory)
        made.append(AUTHORITY)
    for name in sorted(PEERS):
        if AUTHORITY in made or not _is_good(directory, name):
            _issue(directory, name, days=days)
            made.append(name)
    return made


def _make_authority(directory: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("Proximity authority")
    builder = _begin(name, name, key.public_key(), days=_AUTHORITY_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    _write(directory, AUTHORITY, builder.sign(key, hashes.SHA256()), key)


def _issue(directory: Path, name: str, *, days: int) -> None:
    """Sign a certificate whose only name is `name`; it serves and calls with it."""
    authority = _read_certificate(directory, AUTHORITY)
    signing = serialization.load_pem_private_key((directory / f"{AUTHORITY}.key").read_bytes(), password=None)
    if not isinstance(signing, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{directory / 'ca.key'} is no elliptic curve key")
    key = ec.generate_private_key(ec.SECP256R1())
    both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    builder = _begin(_name(name), authority.subject, key.public_key(), days=days)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage(both), critical=False)
    _write(directory, name, builder.sign(signing, hashes.SHA256()), key)


def _begin(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, *, days: int
) -> x509.CertificateBuilder:
    start = datetime.now(UTC) - timedelta(minutes=5)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _is_good(directory: Path, name: str) -> bool:
    """Whether a certificate and its key are there and it lasts for another 30 days."""
    if not (directory / f"{name}.key").exists() or not (directory / f"{name}.crt").exists():
        return False
    return _read_certificate(directory, name).not_valid_after_utc > datetime.now(UTC) + _RENEW


def _read_certificate(directory: Path, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((directory / f"{name}.crt").read_bytes())


def _write(
    directory: Path, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
) -> None:
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    partial = directory / f"{name}.key.partial"
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(secret)
    partial.replace(directory / f"{name}.key")
    (directory / f"{name}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def main(arguments: list[str] | None = None) -> int:
    """Make the certificates and say which ones were made."""
    parser = argparse.ArgumentParser(prog="python -m deploy.certificates", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--days", type=int, default=_DAYS, help="how long the certificates are valid")
    options = parser.parse_args(arguments)
    made = make_certificates(options.directory, days=options.days)
    sys.stdout.write(f"made: {', '.join(made) or 'nothing, all are there'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
