"""The check of policies in storms: what they may remove, what they have to leave, and which runs must begin."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.checks.operations import check_operations
from tests.chaos.checks.policies import check_policies
from tests.chaos.counts import count_encounters, list_missing
from tests.chaos.evidence import Evidence, Row
from tests.chaos.looks import Look, Standing, read_looks
from tests.chaos.timeline import find_origins, find_slot_operation
from tests.unit.chaos.scenes import APP, ARCHIVE, BACKUP_ID, make_exchange, make_operation, make_world

SLOT = 120.0
LATER = 180.0


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def make_creation(number: int, operation_id: str, *, seconds: float, **values: Any) -> Row:
    state = {"backup_id": number}
    times = {"created_at": at(seconds), "finished_at": at(seconds + 5)}
    return make_operation("create_backup", operation_id, **{"state": state, **times, **values})


def make_removal(number: int, *, seconds: float) -> Row:
    times = {"created_at": at(seconds), "finished_at": at(seconds + 1)}
    return make_operation("delete_backup", f"d{number}", subject=f"backup/{number}", **times)


def make_test(number: int, *, seconds: float) -> Row:
    state = {"backup_id": number, "is_done": True, "failed_step": ""}
    return make_operation("test_backup", f"t{number}", state=state, finished_at=at(seconds))


def make_scheduled(*more: Row, runs: tuple[float, ...] = (SLOT, LATER)) -> Evidence:
    """A world in which a policy made a backup in each slot, from number 2 on."""
    world = make_world()
    (person,) = world.backup_operations
    made = [find_slot_operation(1, APP, slot) for slot in runs]
    creations = [
        make_creation(number, operation_id, seconds=slot + 1)
        for number, (operation_id, slot) in enumerate(zip(made, runs, strict=True), 2)
    ]
    removed = {int(one["subject"].partition("/")[2]) for one in more if one["kind"] == "delete_backup"}
    backups = [
        {**world.backups[0], "id": number, "mark": operation_id, "policy_id": 1}
        for number, operation_id in enumerate(made, 2)
        if number not in removed
    ]
    return dataclasses.replace(
        world,
        operations=(
            *world.operations,
            *(make_operation("backup", one, requested_by=None) for one in made),
        ),
        policies=({"id": 1},),
        backup_operations=(
            {**person, "state": {"backup_id": 1}, "created_at": at(20)},
            *creations,
            *more,
        ),
        backups=(*world.backups, *backups),
    )


def protect(world: Evidence, number: int, *, seconds: float) -> Evidence:
    path = f"/apps/{APP}/backups/{number}"
    protected = make_exchange("protect", method="PATCH", path=path, sent=seconds, status=200)
    return dataclasses.replace(world, history=(*world.history, protected))


def test_what_a_policy_makes_in_its_slots_and_removes_of_its_own_is_no_fault() -> None:
    world = make_scheduled(make_test(2, seconds=150), make_test(3, seconds=190), make_removal(2, seconds=220))
    assert list(check_policies(world)) == []
    assert not [fault for fault in check_operations(world) if "by nobody" in fault]


def test_a_backup_outside_of_the_slots_was_requested_by_nobody() -> None:
    world = dataclasses.replace(make_scheduled(), policies=())
    assert [fault for fault in check_operations(world) if "by nobody" in fault]
    assert list(check_policies(world)) == [
        f"backup {number} of {APP} was made by nobody and in no slot of a policy" for number in (2, 3)
    ]


def test_a_copy_has_an_origin_of_its_own() -> None:
    world = make_scheduled()
    origins = find_origins(world)
    assert sorted(one.slot for one in origins.values() if one.slot in {SLOT, LATER}) == [SLOT, LATER]
    assert sum(one.is_copy for one in origins.values()) == 3, "one for each backup"


def test_the_last_backup_of_a_policy_may_not_be_removed_by_it() -> None:
    removal = make_removal(2, seconds=170)
    assert list(check_policies(make_scheduled(removal, runs=(SLOT,)))) == [
        f"backup 2 of {APP} was removed by its policy and was the last good one",
        f"policy 1 made backups of {APP} and has left none",
    ]
    assert "last good one" in next(iter(check_policies(make_scheduled(removal)))), "the next one came later"
    by_person = make_exchange("delete_backup", method="DELETE", path=f"/apps/{APP}/backups/2")
    world = make_scheduled(removal, runs=(SLOT,))
    assert list(check_policies(dataclasses.replace(world, history=(*world.history, by_person)))) == []


def test_a_protected_backup_and_the_last_tested_one_may_not_be_removed() -> None:
    removal = make_removal(2, seconds=220)
    assert list(check_policies(protect(make_scheduled(removal), 2, seconds=200))) == [
        f"backup 2 of {APP} was removed by its policy though it was protected"
    ]
    assert list(check_policies(protect(make_scheduled(removal), 2, seconds=221))) == []
    assert list(check_policies(make_scheduled(removal, make_test(2, seconds=150)))) == [
        f"backup 2 of {APP} was removed by its policy and was the last one that passed a restore test"
    ]


def test_a_backup_of_a_person_may_not_be_removed_by_a_policy() -> None:
    assert list(check_policies(make_scheduled(make_removal(1, seconds=200)))) == [
        "backup 1 of adminer-1, which no policy made, was removed though nobody requested it"
    ]


def look(*, slot: float = 0.0, waiting: str = "", since: float = 0.0, ended: float = 181.0) -> Look:
    standing = Standing(policy=1, app=APP, since=since, slot=slot, waiting=waiting)
    return Look(180.5, ended, 181.0, (standing,))


@pytest.mark.parametrize(
    ("seen", "is_missing"),
    [
        (look(), True),
        (look(slot=SLOT), True),
        (look(slot=LATER), False),
        (look(waiting="a lock"), False),
        (look(since=180.2), False),  # it applies since then
        (look(ended=211.0), False),  # so late that it is not made up
    ],
)
def test_a_run_that_is_due_begins_or_says_what_it_waits_for(seen: Look, is_missing: bool) -> None:
    world = dataclasses.replace(make_scheduled(), looks=(seen,))
    expected = f"policy 1 was due for {APP} at 180, and was neither begun nor says what it waits for"
    assert list(check_policies(world)) == ([expected] if is_missing else [])


def test_a_look_beside_one_of_before_the_slot_need_not_say_what_a_run_waits_for() -> None:
    slow = Look(179.0, 180.9, 180.9, ())
    world = make_scheduled()
    assert list(check_policies(dataclasses.replace(world, looks=(slow, look())))) == []
    over = dataclasses.replace(slow, ended=180.4)
    assert len(list(check_policies(dataclasses.replace(world, looks=(over, look()))))) == 1


def test_a_run_of_an_app_that_is_deleted_need_not_begin() -> None:
    world = dataclasses.replace(make_scheduled(), looks=(look(),))
    deletion = make_exchange("delete", method="DELETE", sent=100.0)
    assert list(check_policies(dataclasses.replace(world, history=(*world.history, deletion)))) == []


def test_a_run_that_is_recorded_has_an_operation() -> None:
    world = dataclasses.replace(make_scheduled(runs=(SLOT,)), looks=(look(slot=LATER),))
    assert list(check_policies(world)) == [
        f"policy 1 says that it began the backup of {APP} at 180, and there is none"
    ]


def test_a_verification_that_the_archive_does_not_have_is_a_fault() -> None:
    world = make_scheduled()
    backup = {**world.backups[0], "verification": "ok"}
    assert list(check_policies(dataclasses.replace(world, backups=(backup, *world.backups[1:])))) == [
        "backup 1 is shown as verified 'ok', its archive as ''"
    ]
    assert backup["volume_id"] == ARCHIVE


def test_looks_are_read_as_they_were_written(tmp_path: Path) -> None:
    file = tmp_path / "looks.jsonl"
    assert read_looks(file) == []
    file.write_text(
        '{"began": 1.5, "ended": 2.5, "written": 2.0, "policies": [{"id": 1, "since": 1.0, "enabled": true},'
        ' {"id": 2, "since": 1.0, "enabled": false}], "runs": ['
        '{"policy": 1, "app": "a", "since": 0.5, "slot": 0, "waiting": "w"},'
        '{"policy": 2, "app": "a", "since": 0.5, "slot": 0, "waiting": ""}]}\n'
    )
    standing = Standing(policy=1, app="a", since=1.0, slot=0.0, waiting="w")
    assert read_looks(file) == [Look(1.5, 2.5, 2.0, (standing,))]


def test_a_storm_without_policies_streams_and_terminals_is_visible_as_such() -> None:
    nothing = count_encounters(make_world_of_a_person())
    assert len(list(list_missing(nothing, is_whole=True))) == 11
    assert len(list(list_missing(nothing, is_whole=False))) == 1
    world = make_scheduled(make_test(2, seconds=150), make_test(3, seconds=190), make_removal(2, seconds=220))
    deaths = (("kill", "d2"), ("kill", "t2"), ("outage", "t3"), ("kill", BACKUP_ID))
    stayed = (
        make_exchange("watch", method="GET", status=200, answer={"log": 1}),
        make_exchange("watch", method="GET", status=200, answer={}),
        make_exchange("terminal", method="GET", status=200),
        make_exchange("terminal", method="GET", status=409),
    )
    changed = [make_exchange("start") for _ in range(11)]
    history = (*world.history, *stayed, *changed)
    counts = count_encounters(dataclasses.replace(world, deaths=deaths, history=history))
    assert (counts.runs, counts.made, counts.pruned, counts.tests, counts.passed) == (2, 2, 1, 2, 2)
    assert (counts.died_in_pruning, counts.died_in_tests, counts.lost_in_tests) == (1, 1, 1)
    assert (counts.streams, counts.terminals) == (1, 1)
    assert [sentence.partition(":")[0] for sentence in list_missing(counts, is_whole=True)] == [
        "no backup on a second storage came up",
        "no verified backup came up",
    ]


def make_world_of_a_person() -> Evidence:
    return dataclasses.replace(make_scheduled(runs=()), policies=())
