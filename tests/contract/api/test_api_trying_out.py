"""The bodies that the documentation offers ("Try it out") succeed as they are, on a platform like that of `make run`.

What only the person at the page knows is put in their place: secrets, which the examples leave out, and ids of what is
there. Paths and callers are those of the case files. It is the last file of the suite: what the examples change is
shared with the cases.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest

from gateway.surface import Binding
from tests.contract.api.answers import fill_path, send_request
from tests.contract.api.callers import LIMIT_S, Json, read_object
from tests.contract.api.documented import Documented
from tests.contract.api.table import Case, load_cases
from tests.contract.api.world import World

# Fields that name something of this platform: the example shows their form.
IDENTIFIERS = {"vmid", "node_name", "host_id", "app_id", "target_node", "names"}
CASES = [case for case in load_cases().values() if case.method.takes_json and case.good is not None]


def find_example(document: Json, binding: Binding) -> Any:
    operation = document["paths"][binding.path][binding.method.lower()]
    return operation["requestBody"]["content"]["application/json"]["example"]


def complete(example: Json, known: Json) -> Json:
    """Put what the case knows in place of secrets and ids."""
    secret = {name for name, value in example.items() if str(value).startswith("<")}
    replaced = secret | IDENTIFIERS | ({"username"} if "password" in secret else set())
    return {
        name: known[name] if name in replaced and name in known else value for name, value in example.items()
    }


def make_cookie(world: World, made: Json) -> dict[str, str]:
    """The cookies of a browser that signed in, for the example without a token."""
    refresh = world.resolve("$spare_user.refresh", made)
    cookies = f"proximity-refresh-cookie={refresh}; csrftoken=t"
    return {"Cookie": cookies, "X-CSRFToken": "t"}


def find_known(world: World, case: Case, made: Json) -> Json:
    """What the case sends, with a link for a new password where it has an invitation: that also chooses a name."""
    assert case.good is not None
    known: Json = world.resolve(case.good.body or {}, made)
    if case.name == "auth/reset_password":
        user = world.resolve("$spare_user.user.id", made)
        link = read_object(
            world.send("POST", f"/api/auth/users/{user}/reset-link", caller="admin", json={}), 201
        )
        known["token"] = link["token"]
    return known


def wait_until_free(world: World, backup: str) -> None:
    """Wait until nothing uses a backup, for the cases that share it."""
    deadline = time.monotonic() + LIMIT_S
    while world.ask(backup)["is_in_progress"]:
        assert time.monotonic() < deadline, f"{backup} is in use after {LIMIT_S:g} s"
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("case", "binding"),
    [(case, each) for case in CASES for each in case.method.bindings if each.body],
    ids=lambda each: each.name if isinstance(each, Case) else f"{each.method} {each.path}",
)
def test_an_example_succeeds(
    world: World, documented: Documented, document: Json, case: Case, binding: Binding
) -> None:
    assert case.good is not None
    made: Json = {}
    body = complete(find_example(document, binding), find_known(world, case, made))
    headers = make_cookie(world, made) if case.name == "auth/refresh_token" else {}
    request = replace(case.good, body=body, headers=headers)
    answer = send_request(world, case, request, binding=binding, made=made)
    assert answer.status_code in {case.method.success, 200}, f"{json.dumps(body)}: {answer.text[:600]}"
    documented.check(answer, binding)
    if case.follow:
        world.follow(case.follow, answer, made)
    if case.name == "backups/restore_backup":  # the example restores beside, as another app than the case
        world.settle(answer.json()["application_id"])
        wait_until_free(
            world, fill_path(binding, world.resolve(case.good.path, made)).removesuffix("/restore")
        )
    if "location" in answer.headers and case.method.creates:
        world.send("DELETE", answer.headers["location"], caller="admin")
