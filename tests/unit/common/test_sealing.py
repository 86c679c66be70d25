"""A sealed secret opens with its key, in its place, and nowhere else."""

from __future__ import annotations

import pytest

from services.common.core.errors import SealBrokenError
from services.common.identity.keys import Sealer


def test_a_secret_opens_in_its_place_only() -> None:
    sealer = Sealer("first")
    sealed = sealer.seal("hunter2", place="hosts.password.1")
    assert "hunter2" not in sealed
    assert sealer.open(sealed, place="hosts.password.1") == "hunter2"
    for place in ("hosts.password.2", "hosts.ssh_key.1"):
        with pytest.raises(SealBrokenError):
            sealer.open(sealed, place=place)


def test_another_key_does_not_open_it() -> None:
    sealed = Sealer("first").seal("hunter2", place="a.b.1")
    with pytest.raises(SealBrokenError, match="not configured"):
        Sealer("second").open(sealed, place="a.b.1")


def test_a_former_key_still_opens_and_is_told_apart() -> None:
    sealed = Sealer("first").seal("hunter2", place="a.b.1")
    rotated = Sealer("second", previous=["first"])
    assert rotated.open(sealed, place="a.b.1") == "hunter2"
    assert not rotated.is_current(sealed)
    assert rotated.is_current(rotated.seal("hunter2", place="a.b.1"))


@pytest.mark.parametrize(
    "damage", [lambda s: s[:-4], lambda s: s[:-6] + "AAAA==", lambda s: s.split(".")[0] + ".%%%"]
)
def test_damage_is_noticed(damage: object) -> None:
    sealer = Sealer("first")
    with pytest.raises(SealBrokenError):
        sealer.open(damage(sealer.seal("hunter2", place="a.b.1")), place="a.b.1")  # type: ignore[operator]
