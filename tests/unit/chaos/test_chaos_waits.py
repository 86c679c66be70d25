"""What passes by itself fails no operation, and only those that may destroy containers do."""

from __future__ import annotations

import dataclasses

import pytest

from tests.chaos.checks import check_all
from tests.chaos.checks.destroyed import check_destroyed
from tests.chaos.checks.waits import check_waits
from tests.chaos.evidence import Evidence
from tests.unit.chaos.scenes import (
    add_operation,
    change_proxmox,
    make_operation,
    make_step,
    make_task,
    make_world,
)


def fail(error: str, status: str = "failed") -> Evidence:
    return add_operation(make_world(), make_operation("stop_app", "x", status=status, error=error))


@pytest.mark.parametrize(
    "error",
    [
        "Stopping the container: pve (127.0.0.1:8006) does not answer: connection refused",
        "Creating the container: pve gave no answer to POST /nodes/pve1/lxc",
        "Stopping the container: Proxmox: CT is locked (mounted)",
        "Making the archive: Proxmox says: can't lock file '/run/lock/lxc/pve-config-1.lock' - got timeout",
        "Copying the container: the task UPID:pve1 printed nothing new for 900 s",
        "Starting the container: it took longer than 1.0 hours; it waited for: pve does not answer",
    ],
)
def test_an_operation_that_did_not_wait_is_named(error: str) -> None:
    (violation,) = check_waits(fail(error))
    assert violation == f"stop_app x of adminer-1 did not wait: {error}"


def test_what_failed_for_good_or_was_cancelled_is_no_fault() -> None:
    assert not list(check_waits(fail("Stopping the container: write error: No space left on device")))
    assert not list(check_waits(fail("pve does not answer", status="cancelled")))


def destroy(world: Evidence, kind: str, *, noted: bool = True, status: str = "succeeded") -> Evidence:
    """Have an operation of a kind destroy a container."""
    added = add_operation(
        world, make_operation(kind, "x", subject="adminer-2", status=status, error="no room")
    )
    steps = (*added.steps, make_step("x", "gone")) if noted else added.steps
    tasks = [*added.after["tasks"], make_task("vzdestroy", "gone", id="9001")]
    return change_proxmox(dataclasses.replace(added, steps=steps), tasks=tasks)


@pytest.mark.parametrize("noted", [True, False])
@pytest.mark.parametrize(("kind", "status"), [("delete_app", "succeeded"), ("deploy_app", "failed")])
def test_deletions_and_what_takes_its_creation_back_may_destroy(
    kind: str, status: str, *, noted: bool
) -> None:
    assert not list(check_destroyed(destroy(make_world(), kind, noted=noted, status=status)))


def test_nothing_else_may_destroy() -> None:
    world = destroy(make_world(), "update_app")
    assert list(check_destroyed(world)) == ["container 9001 was destroyed by update_app x"]
    assert "container 9001 was destroyed by update_app x" in check_all(world)


def test_what_nobody_noted_is_counted() -> None:
    world = destroy(make_world(), "start_app", noted=False)
    assert list(check_destroyed(world)) == ["containers 9001 were destroyed, 1 by nobody"]
