"""The simulated Proxmox VE answers as the recorded one did."""

from pathlib import Path

import pytest

from tests.pvesim.conformance import BODY_LIMIT, RECORDINGS, replay_file

NAMES = sorted(path.stem for path in RECORDINGS.glob("*.jsonl"))


def test_there_are_recordings() -> None:
    assert len(NAMES) >= 5


@pytest.mark.parametrize("name", NAMES)
def test_every_status_and_reason_and_nearly_every_field_is_as_recorded(name: str) -> None:
    result = replay_file(Path(RECORDINGS, f"{name}.jsonl"))
    wrong = [one.remarks for one in result.verdicts if not one.status_agrees]
    assert wrong == []
    assert result.bodies >= BODY_LIMIT
