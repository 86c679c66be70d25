"""The state directory of a local stack."""

from __future__ import annotations

import re
import shutil
import socket
import ssl
from pathlib import Path

import pytest
from cryptography import x509

from deploy.local.sockets import name_socket
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


def test_what_others_could_read_in_an_existing_directory_is_this_account_s_alone(tmp_path: Path) -> None:
    state = tmp_path / "state"
    for folder in ("db", "keys", "logs"):
        (state / folder).mkdir(parents=True, mode=0o755)
        (state / folder / "file").write_text("secret")
        (state / folder / "file").chmod(0o644)
    (state / "run.json").write_text("{}")
    (state / "notes").mkdir(mode=0o755)
    (state / "notes").chmod(0o755)
    state.chmod(0o755)
    link = state / "logs" / "elsewhere"
    (tmp_path / "elsewhere").write_text("")
    (tmp_path / "elsewhere").chmod(0o644)
    link.symlink_to(tmp_path / "elsewhere")
    StateLock(state).release()
    own = [state, *(each for name in ("db", "keys", "logs", "run.json") for each in [state / name])]
    own += [state / name / "file" for name in ("db", "keys", "logs")]
    assert [file for file in own if file.stat().st_mode & 0o077] == []
    assert (state / "notes").stat().st_mode & 0o777 == 0o755  # it is somebody else's
    assert (tmp_path / "elsewhere").stat().st_mode & 0o777 == 0o644


def test_a_directory_that_accounts_share_is_no_state_directory(tmp_path: Path) -> None:
    shared = tmp_path / "tmp"
    shared.mkdir()
    shared.chmod(0o1777)
    with pytest.raises(PermissionError, match="name one of its own"):
        StateLock(shared)
    assert shared.stat().st_mode & 0o7777 == 0o1777


@pytest.mark.parametrize("name", ["state", "x" * 120, "a state with spaces", "100%"])
def test_sockets_have_a_place_of_their_own_that_grpc_and_the_kernel_take(tmp_path: Path, name: str) -> None:
    path = name_socket(tmp_path / name, "inventory")
    assert len(bytes(path)) <= 107
    assert re.fullmatch(r"[A-Za-z0-9._/-]+", str(path))
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path == name_socket(tmp_path / name, "inventory")
    assert path != name_socket(tmp_path / f"{name}2", "inventory")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
    shutil.rmtree(path.parent)


def test_a_place_for_sockets_that_another_account_prepared_is_refused(tmp_path: Path) -> None:
    place = name_socket(tmp_path / ("x" * 120), "apps").parent
    place.rmdir()
    (tmp_path / "trap").mkdir()
    place.symlink_to(tmp_path / "trap")
    with pytest.raises(PermissionError, match="not a directory of this account"):
        name_socket(tmp_path / ("x" * 120), "apps")
    place.unlink()
