"""Rules that spoil requests and tasks on demand."""

import pytest

from tests.pvesim.faults import Faults

START = {"method": "POST", "path": "/nodes/pve1/lxc/100/status/start", "node": "pve1", "vmid": "100"}


def test_a_rule_strikes_what_it_matches_after_so_many_and_so_often() -> None:
    faults = Faults()
    faults.add([{"kind": "error", "match": {"path": "/status/start$", "vmid": 100}, "after": 1, "times": 2}])
    struck = [faults.find_request_fault(START) is not None for _ in range(5)]
    assert struck == [False, True, True, False, False]
    assert faults.find_request_fault({**START, "vmid": "101"}) is None


def test_probability_is_the_same_for_the_same_seed() -> None:
    def strike() -> list[bool]:
        faults = Faults()
        faults.add([{"kind": "reset", "probability": 0.5, "seed": 7}])
        return [faults.find_request_fault(START) is not None for _ in range(50)]

    assert strike() == strike()
    assert 10 < sum(strike()) < 40


@pytest.mark.parametrize(
    "wanted", [{"kind": "explode"}, {"kind": "error", "match": {"color": 1}}, {"kind": "error", "x": 1}]
)
def test_what_nobody_knows_is_refused_by_name(wanted: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"unknown|unexpected"):
        Faults().add([wanted])


def test_task_faults_do_not_strike_requests() -> None:
    faults = Faults()
    faults.add([{"kind": "task_fail", "match": {"type": "vzstart"}}])
    assert faults.find_request_fault(START) is None
    assert faults.find_task_fault({"type": "vzstart", "node": "pve1", "vmid": "100"}) is not None
