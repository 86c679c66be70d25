"""A household moves in from the Django system: its apps run, work and are backed up as before."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from deploy.import_django.__main__ import main
from deploy.local.api import Api, DemoError, read_page
from tests.e2e.stack import RunningStack
from tests.pvesim.presets import DEBIAN, PASSWORD
from tests.store.django_broken_rows import BROKEN
from tests.store.django_household import (
    EXPECTED,
    FIRST_VMID,
    OLD_KEY,
    STATES,
    encrypt,
    insert,
    make_household,
    name_app,
)
from tests.store.django_household import PASSWORD as OLD_PASSWORD
from tests.unit.pvesim.sim import Running, start

T = TypeVar("T")
LIMIT_S = 300.0  # for whatever the platform does by itself, on a loaded machine
_OF_ATTIC, _OF_ALICE_TWIN = len(STATES), len(STATES) + 2  # numbers of apps


def make_topology() -> dict[str, Any]:
    """Describe a cluster with the containers of the household's apps; each that runs serves a page."""
    states = {number: running for number, (_, running) in enumerate(STATES)}
    states |= {_OF_ATTIC: True, _OF_ALICE_TWIN: True}
    return {
        "name": "homelab",
        "nodes": [{"name": "pve1", "bridges": ["vmbr0"]}],
        "containers": [
            {
                "vmid": FIRST_VMID + number,
                "node": "pve1",
                "hostname": "db.example.lan" if number == 0 else f"app-{number}",
                "template": DEBIAN,
                "services": ["nginx"],
                "running": running,
            }
            for number, running in states.items()
        ],
    }


@pytest.fixture(scope="module")
def sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("household")
    (folder / "topology.json").write_text(json.dumps(make_topology()))
    with start(folder / "pve", "--topology", str(folder / "topology.json")) as running:
        yield running


def make_old_database(folder: Path, sim: Running) -> str:
    """The database of the old system; the attic's password is encrypted with a key that nobody has any more."""
    ready = sim.client.ready
    place = {key: ready[key] for key in ("host", "port", "ssh_port")}
    url = make_household(
        folder / "old.sqlite3",
        active={**place, "password": encrypt(PASSWORD)},
        inactive={**place, "password": encrypt(PASSWORD, "lost")},
    )
    # What SQLite stores only as bytes is tried in tests/store.
    for broken in BROKEN:
        if not broken.text:
            insert(folder / "old.sqlite3", broken.table, **broken.values)
    return url


@contextmanager
def import_into(folder: Path, url: str) -> Iterator[RunningStack]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROXIMITY_STATE_DIR", str(folder / "state"))
        patch.setenv("DJANGO_SECRET_KEY", OLD_KEY)
        for name in ("DATABASE_URL", "SECRET_KEY"):
            patch.delenv(name, raising=False)
        assert main(["--from", url, "--apply"]) == 0
    stack = RunningStack(folder / "state", PROXIMITY_ADMIN_PASSWORD="")
    try:
        yield stack
    finally:
        stack.stop()


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory, sim: Running) -> Iterator[RunningStack]:
    folder = tmp_path_factory.mktemp("moved")
    with import_into(folder, make_old_database(folder, sim)) as stack:
        yield stack


def wait_until(read: Callable[[], T], wanted: Callable[[T], bool]) -> T:
    deadline = time.monotonic() + LIMIT_S
    while not wanted(found := read()):
        assert time.monotonic() < deadline, found
        time.sleep(0.3)
    return found


def list_household(api: Api) -> dict[str, dict[str, Any]]:
    """The apps of STATES as the API shows them."""
    apps = api.send("GET", "/apps?per_page=100")["apps"]
    names = {name_app(number) for number in range(len(STATES))}
    return {app["id"]: app for app in apps if app["id"] in names}


def follow(api: Api, app_id: str, status: str) -> dict[str, Any]:
    return api.wait_for_app(app_id, wanted=status, timeout=LIMIT_S, watch=lambda _: None)


def test_the_start_names_the_administrator_who_came_over(moved: RunningStack) -> None:
    said = wait_until((moved.state / "runner.log").read_text, lambda text: "logs  " in text)
    assert "administrator  fab, with a password of their own" in said
    assert "shown once" not in said


def test_users_sign_in_as_before(moved: RunningStack) -> None:
    assert moved.sign_in("fab", OLD_PASSWORD).send("GET", "/auth/user")["is_staff"]
    assert not moved.sign_in("dora", OLD_PASSWORD).send("GET", "/auth/user")["is_staff"]
    for name in ("carol", "erin", "frank"):
        with pytest.raises(DemoError, match="SIGN_IN_FAILED"):
            moved.sign_in(name, OLD_PASSWORD)
    hal = moved.sign_in("hal", OLD_PASSWORD)
    profile = hal.send("GET", "/auth/user")
    own = {
        key: profile[key] for key in ("email", "first_name", "last_name", "bio", "avatar", "preferred_theme")
    }
    assert hal.send("PATCH", "/auth/user", own)["username"] == "hal"


def test_every_app_has_the_status_of_its_container(moved: RunningStack) -> None:
    api = moved.sign_in("fab", OLD_PASSWORD)
    apps = wait_until(
        lambda: list_household(api), lambda found: "adopting" not in {app["status"] for app in found.values()}
    )
    assert Counter(app["status"] for app in apps.values()) == EXPECTED
    assert {app["owner_id"] for app in apps.values()} == {2, 3}
    assert apps[name_app(5)]["lxc_id"] == FIRST_VMID + 5
    assert apps[name_app(5)]["public_port"] == 8105
    assert "s3cret" not in json.dumps(apps)
    twin = api.send("GET", f"/apps/{name_app(_OF_ALICE_TWIN)}")
    assert (twin["status"], twin["owner_id"]) == ("running", 1)


def test_apps_answer_at_the_port_that_listens_in_their_container(moved: RunningStack) -> None:
    api = moved.sign_in("fab", OLD_PASSWORD)
    running = [app for app in list_household(api).values() if app["status"] == "running"]
    assert len(running) == EXPECTED["running"]
    for app in running:
        assert app["internal_port"] == 80
        assert read_page(app["url"])


def test_every_list_answers_with_the_broken_rows_in_it(moved: RunningStack) -> None:
    api = moved.sign_in("fab", OLD_PASSWORD)
    apps = api.send("GET", "/apps?per_page=100")["apps"]
    assert len(apps) > len(STATES)
    for app in apps:
        api.send("GET", f"/apps/{app['id']}")
        api.send("GET", f"/apps/{app['id']}/logs")
        api.send("GET", f"/apps/{app['id']}/backups")
    api.read_array("/proxmox/hosts")
    assert len(api.send("GET", "/auth/users?per_page=100")["users"]) > 11


def test_apps_start_restart_and_are_cloned(moved: RunningStack) -> None:
    api = moved.sign_in("fab", OLD_PASSWORD)
    stopped, running = name_app(14), name_app(2)
    api.send("POST", f"/apps/{stopped}/action", {"action": "start"}, expect=202)
    started = follow(api, stopped, "running")
    assert started["internal_port"] == 80
    assert read_page(started["url"])
    api.send("POST", f"/apps/{stopped}/action", {"action": "stop"}, expect=202)
    follow(api, stopped, "stopped")
    api.send("POST", f"/apps/{running}/action", {"action": "restart"}, expect=202)
    assert read_page(follow(api, running, "running")["url"])
    clone = api.send("POST", f"/apps/{running}/clone", {"new_hostname": "copied"}, expect=202)
    assert follow(api, clone["app_id"], "running")["status"] == "running"


def test_backups_are_listed_made_and_restored(moved: RunningStack, sim: Running) -> None:
    api = moved.sign_in("fab", OLD_PASSWORD)
    app_id = name_app(1)
    old = api.send("GET", f"/apps/{app_id}/backups")["backups"]
    assert {one["status"] for one in old} == {"completed", "failed"}
    made = api.send("POST", f"/apps/{app_id}/backups", {}, expect=202)
    path = f"/apps/{app_id}/backups/{made['id']}"
    wait_until(lambda: api.send("GET", path)["status"], lambda status: status == "completed")
    follow(api, app_id, "running")
    api.send("POST", f"{path}/restore", {}, expect=202)
    follow(api, app_id, "running")


def test_a_take_over_waits_for_its_host_and_resumes_with_the_credentials(moved: RunningStack) -> None:
    api = moved.sign_in("fab", OLD_PASSWORD)
    path = f"/apps/{name_app(_OF_ATTIC)}"
    assert api.send("GET", path)["status"] == "adopting"
    api.send("PUT", "/proxmox/hosts/2", {"is_active": True})

    def read_reason() -> str:
        (operation,) = api.send("GET", f"{path}/operations")["operations"]
        return str(operation["waiting_for"])

    wait_until(read_reason, lambda reason: "refuses root@pam" in reason)
    api.send("PUT", "/proxmox/hosts/2", {"password": PASSWORD})
    assert read_page(follow(api, name_app(_OF_ATTIC), "running")["url"])


def test_a_deleted_app_leaves_its_container(moved: RunningStack, sim: Running) -> None:
    api = moved.sign_in("fab", OLD_PASSWORD)
    api.send("DELETE", f"/apps/{name_app(3)}", expect=202)
    follow(api, name_app(3), "gone")
    config = sim.call("GET", f"/nodes/pve1/lxc/{FIRST_VMID + 3}/config").data
    assert config["hostname"] == "app-3"
    assert "proximity" not in str(config.get("tags", ""))
