"""The state directory of a local stack."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

from cryptography import x509

from deploy.local.state import StateLock, choose_ports, ensure_certificate, ensure_secret


def test_one_stack_at_a_time_owns_a_state_directory(tmp_path: Path) -> None:
    first, second = StateLock(tmp_path / "state"), StateLock(tmp_path / "state")
    assert first.acquire()
    assert not second.acquire()
    first.release()
    assert second.acquire()
    second.release()


def test_ports_differ_and_stay_the_same(tmp_path: Path) -> None:
    names = ["auth", "apps", "nats"]
    first = choose_ports(tmp_path, names)
    assert len(set(first.values())) == 3
    assert choose_ports(tmp_path, names) == first


def test_a_port_that_somebody_took_is_chosen_anew(tmp_path: Path) -> None:
    first = choose_ports(tmp_path, ["auth", "apps"])
    with socket.socket() as thief:
        thief.bind(("127.0.0.1", first["auth"]))
        thief.listen()
        second = choose_ports(tmp_path, ["auth", "apps"])
    assert second["auth"] != first["auth"]
    assert second["apps"] == first["apps"]


def test_a_secret_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    made, is_new = ensure_secret(tmp_path / "secret")
    assert is_new
    assert len(made) >= 24
    assert ensure_secret(tmp_path / "secret") == (made, False)
    assert (tmp_path / "secret").stat().st_mode & 0o077 == 0


def test_the_certificate_is_for_this_machine_and_kept(tmp_path: Path) -> None:
    chain, key = ensure_certificate(tmp_path / "keys")
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(chain, key)
    assert key.stat().st_mode & 0o077 == 0
    text = chain.read_bytes()
    names = x509.load_pem_x509_certificate(text).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert "localhost" in names.value.get_values_for_type(x509.DNSName)
    assert "127.0.0.1" in [str(each) for each in names.value.get_values_for_type(x509.IPAddress)]
    ensure_certificate(tmp_path / "keys")
    assert chain.read_bytes() == text
