"""How long operations take, as people see it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.apps.convert import apps as convert
from services.apps.domain.pace import measure_pace
from services.common.operations.model import Operation, OperationStep

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def make_operation(
    kind: str, *, elapsed_s: int, expected_s: int | None = None, progress: int = 0
) -> Operation:
    step = OperationStep(
        position=2,
        name="restore_archive",
        description="Restoring the archive",
        status="running",
        attempts=1,
        started_at=MOMENT,
        finished_at=None,
        message="",
        upids=(),
    )
    return Operation(
        id="o",
        subject="web-1",
        kind=kind,
        status="running",
        progress=progress,
        step_index=2,
        step_count=5,
        attempt=1,
        error="",
        waiting_for="",
        worker="w",
        traceparent="",
        cancel_requested=False,
        delegated=True,
        requested_by=1,
        created_at=MOMENT,
        started_at=MOMENT,
        updated_at=MOMENT + timedelta(seconds=elapsed_s),
        finished_at=None,
        steps=(step,),
        expected_s=expected_s,
    )


@pytest.mark.parametrize(
    ("kind", "elapsed_s", "expected_s", "progress", "shown"),
    [
        ("backup", 1500, None, 0, (1, False)),
        ("backup", 300, 600, 0, (50, True)),
        ("backup", 6000, 600, 0, (95, True)),
        ("restore", 60, 600, 40, (40, True)),
        ("clone_app", 0, None, 0, (0, False)),
        ("deploy_app", 60, None, 30, (30, True)),
    ],
)
def test_progress_is_estimated_where_the_last_run_is_known(
    kind: str, elapsed_s: int, expected_s: int | None, progress: int, shown: tuple[int, bool]
) -> None:
    pace = measure_pace(make_operation(kind, elapsed_s=elapsed_s, expected_s=expected_s, progress=progress))
    assert (pace.progress, pace.determinate) == shown
    assert pace.elapsed_s == elapsed_s


class _App:
    id, status, error = "web-1", "restoring", ""


def test_the_status_of_a_long_copy_says_how_long_it_takes_and_at_which_step_it_is() -> None:
    silent = convert.render_status(_App(), make_operation("restore", elapsed_s=1500))
    assert silent.message == "Restoring the archive: 25 min so far; how long it takes is not known"
    assert (silent.step, silent.step_description) == ("restore_archive", "Restoring the archive")
    assert (silent.determinate, silent.elapsed_s, silent.HasField("expected_s")) == (False, 1500, False)
    known = convert.render_status(_App(), make_operation("restore", elapsed_s=1500, expected_s=7500))
    assert known.message == "Restoring the archive: 25 min so far; the last time it took 2 h 5 min"
    assert (known.determinate, known.progress, known.expected_s) == (True, 20, 7500)
    brief = convert.render_status(_App(), make_operation("restore", elapsed_s=5))
    assert brief.message == "Restoring the archive"
