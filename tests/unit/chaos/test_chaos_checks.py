"""The checks are silent where everything holds and name each thing that does not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from tests.chaos.checks import check_all
from tests.chaos.evidence import Evidence, is_settled
from tests.unit.chaos.scenes import (
    APP,
    BACKED_UP,
    BACKUP_ID,
    DEPLOY_ID,
    DEPLOYED,
    OTHER,
    VMID,
    add_audit,
    add_container,
    add_history,
    add_operation,
    adopt_stranger,
    change_app,
    change_backup,
    change_proxmox,
    make_container,
    make_entry,
    make_exchange,
    make_operation,
    make_step,
    make_task,
    make_volume,
    make_world,
)

Break = Callable[[Evidence], Evidence]


def replace_operation(**values: object) -> Break:
    def change(world: Evidence) -> Evidence:
        first, *rest = world.operations
        return dataclasses.replace(world, operations=({**first, **values}, *rest))

    return change


def without_container(world: Evidence) -> Evidence:
    return change_proxmox(world, containers={"101": world.after["containers"]["101"]})


def without_archive(world: Evidence) -> Evidence:
    return change_proxmox(world, volumes=world.after["volumes"][:2])


def with_delete(world: Evidence) -> Evidence:
    asked = add_history(world, make_exchange("delete", method="DELETE", sent=90.0, answered=91.0))
    return add_operation(asked, make_operation("delete_app", "d1"))


def with_second_create(world: Evidence) -> Evidence:
    tasks = [*world.after["tasks"], make_task("vzcreate", "again")]
    return change_proxmox(
        dataclasses.replace(world, steps=(make_step(DEPLOY_ID, "create", "again"),)),
        tasks=tasks,
    )


def with_unnoted_dump(world: Evidence) -> Evidence:
    return change_proxmox(world, tasks=[*world.after["tasks"], make_task("vzdump", "unnoted")])


def with_new_app(world: Evidence, **values: object) -> Evidence:
    return dataclasses.replace(world, apps=(*world.apps, {**world.apps[0], "id": "adminer-2", **values}))


CASES: dict[str, tuple[Break, str]] = {
    "unaudited": (lambda world: dataclasses.replace(world, audit=world.audit[1:]), "has 0 audit entries"),
    "audited twice": (
        lambda world: add_audit(world, make_entry(f"audit-{DEPLOY_ID}-2", "apps.DeployApp")),
        "has 2 audit entries",
    ),
    "unaudited action": (
        lambda world: add_history(world, make_exchange("stop", status=200)),
        "apps.PerformAppAction of user 1 was accepted 1 times, perhaps 0 more, and has 0 audit entries",
    ),
    "action audited twice": (
        lambda world: add_audit(
            add_history(world, make_exchange("stop", status=200)),
            *(make_entry(name, "apps.PerformAppAction") for name in "ab"),
        ),
        "and has 2 audit entries",
    ),
    "event lost": (
        lambda world: dataclasses.replace(world, apps=()),
        "was never told that its app adminer-1 is gone",
    ),
    "set aside": (
        lambda world: dataclasses.replace(world, poison={"auth": 2}),
        "auth has set 2 messages aside",
    ),
    "two containers": (
        lambda world: add_container(world, make_container(9001, APP)),
        "adminer-1 has 2 containers: 9000, 9001",
    ),
    "stuck": (replace_operation(finished_at=None, status="undoing"), "is stuck in undoing"),
    "given up": (replace_operation(finished_at=None, status="dead"), "is stuck in dead"),
    "no reason": (replace_operation(status="failed"), "failed without a reason"),
    "lost": (lambda world: dataclasses.replace(world, operations=world.operations[1:]), "is lost"),
    "invented": (lambda world: add_operation(world, make_operation("clone_app", "x")), "asked for by nobody"),
    "withdrawn": (
        lambda world: dataclasses.replace(world, backup_operations=()),
        f"{APP} was locked for the backup {BACKUP_ID}, which backups does not have",
    ),
    "ran unasked": (lambda world: add_operation(world, make_operation("stop_app", "x")), "asked for 0 times"),
    "ran twice": (with_second_create, "ran vzcreate and vzcreate"),
    "ran twice, unnoted": (with_unnoted_dump, "2 tasks vzdump succeeded for 1 operations"),
    "went on": (
        lambda world: add_history(world, make_exchange("cancel", sent=40.0, answer={"id": DEPLOY_ID})),
        "began work 9.0 s after its cancellation",
    ),
    "unpublished": (lambda world: dataclasses.replace(world, outboxes={"apps": 3}), "never published"),
    "leaked": (lambda world: add_container(world, make_container(9001, "adminer-7")), "which is no app"),
    "leaked bare": (lambda world: add_container(world, make_container(9001, "")), "carries no marks"),
    "second": (lambda world: add_container(world, make_container(9001, APP)), "whose container is 9000"),
    "missing": (without_container, "which is gone"),
    "unmarked": (lambda world: add_container(world, make_container(VMID, "")), "carries the mark of None"),
    "no container": (lambda world: change_app(world, vmid=None), "has no container"),
    "passing status": (lambda world: change_app(world, status="stopping"), "rests in a status that passes"),
    "runs": (lambda world: change_app(world, status="stopped"), "is running"),
    "locked": (
        lambda world: add_container(world, make_container(VMID, APP, lock="backup")),
        "is locked (backup)",
    ),
    "elsewhere": (lambda world: change_app(world, node="pve2"), "is on pve1, not on pve2"),
    "other memory": (lambda world: change_app(world, config={"memory": 512}), "256 MB of memory, not 512"),
    "other hostname": (lambda world: change_app(world, hostname="web"), "has hostname h9000, not web"),
    "same hostname": (
        lambda world: add_container(world, make_container(9001, "adminer-7", hostname="h9000")),
        "have the same hostname",
    ),
    "silent": (lambda world: dataclasses.replace(world, pages={APP: 0}), "answers 0"),
    "disk": (
        lambda world: change_proxmox(
            world, volumes=[*world.after["volumes"], make_volume("rootdir", "local:x", vmid=9005)]
        ),
        "disk local:x belongs to container 9005",
    ),
    "reconciled": (
        lambda world: dataclasses.replace(world, findings=({"type": "orphan", "message": "m"},)),
        "reconciliation finds orphan",
    ),
    "id leaked": (
        lambda world: dataclasses.replace(world, apps=()),
        "container id 9000 of host 1 is reserved",
    ),
    "id unreserved": (lambda world: dataclasses.replace(world, vmids=()), "is not reserved"),
    "port leaked": (lambda world: change_app(world, public_port=None), "port 8100 of host 1 is reserved"),
    "port unreserved": (lambda world: dataclasses.replace(world, ports=()), "port 8100 of host 1 belongs"),
    "hostname twice": (
        lambda world: with_new_app(world, vmid=None, public_port=None),
        "hostname h9000 belongs",
    ),
    "container twice": (with_new_app, "container (1, 9000) belongs to 2 apps"),
    "no archive": (without_archive, "its archive"),
    "no record": (lambda world: dataclasses.replace(world, backups=()), "has no record"),
    "failed with archive": (lambda world: change_backup(world, status="failed"), "has no record"),
    "passing backup": (lambda world: change_backup(world, status="restoring"), "rests in restoring"),
    "other mark": (lambda world: change_backup(world, mark="else"), "does not carry its mark"),
    "archive twice": (
        lambda world: dataclasses.replace(world, backups=(*world.backups, {**world.backups[0], "id": 2})),
        "names the archive of another backup",
    ),
    "stranger gone": (
        lambda world: change_proxmox(world, containers={"9000": world.after["containers"]["9000"]}),
        "container 101 is gone",
    ),
    "stranger changed": (
        lambda world: add_container(world, make_container(101, "", memory=512)),
        "config of the stranger's container 101",
    ),
    "stranger's data": (
        lambda world: change_proxmox(world, volumes=world.after["volumes"][1:]),
        "volume local-lvm:vm-101-disk-0 of others is gone",
    ),
    "adopted changed": (
        lambda world: adopt_stranger(world, make_container(101, "", hostname="mine")),
        "hostname of the stranger's container 101",
    ),
    "two answers": (
        lambda world: add_history(
            world, make_exchange("deploy", subject="", key="k1", status=201, answer={"id": "adminer-2"})
        ),
        "got different answers",
    ),
    "refused later": (
        lambda world: add_history(
            world,
            make_exchange("back_up", key="k2", status=409, sent=30.0, answered=31.0, answer={"error": "e"}),
        ),
        "was accepted and then refused with 409",
    ),
    "refused and done": (
        lambda world: dataclasses.replace(
            world, history=(DEPLOYED, dataclasses.replace(BACKED_UP, status=409, answer={"error": "e"}))
        ),
        "was refused (e) and create_backup",
    ),
    "not found": (
        lambda world: add_history(world, make_exchange("look", method="GET", status=404, sent=50.0)),
        "answered 404",
    ),
    "vanished": (
        lambda world: dataclasses.replace(without_container(world), apps=(), vmids=(), ports=()),
        "nobody deleted it, and it is gone",
    ),
    "deleted and there": (with_delete, "succeeded and it is still there"),
    "found again": (
        lambda world: add_history(
            with_delete(world),
            make_exchange("look", method="GET", status=404, sent=120.0),
            make_exchange("look", method="GET", status=200, sent=122.0),
        ),
        "was not found, and after that",
    ),
    "not renamed": (
        lambda world: add_history(world, make_exchange("update", status=200, body={"name": "New"})),
        "was renamed New and is called Web",
    ),
    "broken": (
        lambda world: add_history(world, make_exchange("look", method="GET", status=500)),
        "answered 500",
    ),
    "seen by others": (
        lambda world: add_history(world, make_exchange("pry", method="GET", status=200, user_id=OTHER)),
        "which is somebody else's",
    ),
}


def test_a_world_in_which_everything_holds_is_not_blamed() -> None:
    assert check_all(make_world()) == []


@pytest.mark.parametrize(("break_it", "said"), CASES.values(), ids=CASES.keys())
def test_what_does_not_hold_is_named(break_it: Break, said: str) -> None:
    assert said in "\n".join(check_all(break_it(make_world())))


def test_what_the_user_may_do_to_an_adopted_container_is_no_fault() -> None:
    changed = make_container(101, "custom-1", memory=512)
    violations = check_all(adopt_stranger(make_world(), {**changed, "running": False}))
    assert not [one for one in violations if "stranger" in one]


def test_a_lost_answer_blames_nobody() -> None:
    unsure = make_exchange("stop", status=0)
    world = add_operation(add_history(make_world(), unsure), make_operation("stop_app", "x"))
    assert check_all(world) == []
    assert check_all(add_history(make_world(), unsure)) == []


def test_an_app_that_is_being_deleted_may_be_found_or_not() -> None:
    asked = make_exchange("delete", method="DELETE", sent=40.0, answered=41.0, status=0)
    gone = make_exchange("look", method="GET", status=404, sent=50.0)
    found = make_exchange("look", method="GET", status=200, sent=49.0)
    assert check_all(add_history(make_world(), asked, found, gone)) == []


def test_it_has_settled_when_nothing_is_under_way() -> None:
    world = make_world()
    assert is_settled(world)
    assert not is_settled(replace_operation(finished_at=None, status="running")(world))
    assert not is_settled(dataclasses.replace(world, outboxes={"auth": 1}))
    assert not is_settled(change_proxmox(world, tasks=[make_task("vzdump", "u", endtime=None)]))
    assert is_settled(replace_operation(finished_at=None, status="dead")(world))


def test_an_archive_that_was_there_before_is_no_fault() -> None:
    foreign = make_volume("backup", "backup:theirs", vmid=101)
    world = make_world()
    before = {**world.before, "volumes": [*world.before["volumes"], foreign]}
    world = change_proxmox(
        dataclasses.replace(world, before=before), volumes=[*world.after["volumes"], foreign]
    )
    assert check_all(world) == []
