"""The check of policies in storms: what they may remove, and what they have to leave."""

from __future__ import annotations

import dataclasses

from tests.chaos.checks.operations import check_operations
from tests.chaos.checks.policies import check_policies
from tests.chaos.evidence import Evidence
from tests.unit.chaos.scenes import APP, ARCHIVE, make_exchange, make_operation, make_world

RUN = "c" * 32


def make_scheduled(*, has_policy: bool = True, is_left: bool = True) -> Evidence:
    """A world in which a policy made a backup, which may have been removed since."""
    world = make_world()
    removal = make_operation("delete_backup", "d" * 32, subject="backup/2", state={"mark": RUN})
    backup = {
        "id": 2,
        "app_id": APP,
        "status": "completed",
        "volume_id": ARCHIVE,
        "mark": RUN,
        "policy_id": 1,
    }
    return dataclasses.replace(
        world,
        history=(*world.history, *([make_exchange("schedule", subject="")] if has_policy else [])),
        operations=(*world.operations, make_operation("backup", RUN, requested_by=None)),
        backup_operations=(
            *world.backup_operations,
            make_operation("create_backup", RUN),
            *([] if is_left else [removal]),
        ),
        backups=(*world.backups, *([backup] if is_left else [])),
    )


def test_a_backup_that_a_policy_made_is_no_fault() -> None:
    world = make_scheduled()
    assert list(check_policies(world)) == []
    assert not [fault for fault in check_operations(world) if "by nobody" in fault]


def test_without_a_policy_nobody_requested_it() -> None:
    assert [fault for fault in check_operations(make_scheduled(has_policy=False)) if "by nobody" in fault]


def test_the_last_backup_of_a_policy_may_not_be_removed_by_it() -> None:
    assert list(check_policies(make_scheduled(is_left=False))) == [
        f"the policy made backups of {APP} and has left none"
    ]
    world = make_scheduled(is_left=False)
    by_person = make_exchange("delete_backup", method="DELETE", path=f"/apps/{APP}/backups/2")
    assert list(check_policies(dataclasses.replace(world, history=(*world.history, by_person)))) == []


def test_a_backup_of_a_person_may_not_be_removed_by_a_policy() -> None:
    world = make_scheduled()
    (made, *_) = world.backup_operations
    removal = make_operation("delete_backup", "d" * 32, subject="backup/1", state={"mark": made["id"]})
    broken = dataclasses.replace(world, backup_operations=(*world.backup_operations, removal))
    assert list(check_policies(broken)) == [
        "backup 1, which no policy made, was removed though nobody requested it"
    ]
