"""The accounts and things that the cases speak of, made when they are first named.

A `share_` method makes what all cases use and none changes for good; a `make_` method makes one for the request that
names it.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.contract.api.callers import LIMIT_S, Callers, Json, read, read_object
from tests.e2e.stack import RunningStack

RESTING = {"running", "stopped", "error"}


class World(Callers):
    """Everybody who calls, and everything they call about.

    Alice owns the shared app, Bob owns nothing, the administrator was there first.
    """

    def __init__(self, stack: RunningStack) -> None:
        super().__init__(stack)
        self._shared: dict[str, Any] = {}

    def resolve(self, value: Any, made: Json) -> Any:
        """Put things in place of their names; `made` keeps what was made for this request."""
        if isinstance(value, dict):
            return {key: self.resolve(each, made) for key, each in value.items()}
        if isinstance(value, list):
            return [self.resolve(each, made) for each in value]
        if not isinstance(value, str) or not value.startswith("$"):
            return value
        name, *parts = value[1:].split(".")
        found = self._find(name, made)
        for part in parts:
            found = found[part]
        return found

    def _find(self, name: str, made: Json) -> Any:
        if name in made:
            return made[name]
        maker: Callable[[], Any] | None = getattr(self, f"make_{name}", None)
        if maker is not None:
            return made.setdefault(name, maker())
        if name not in self._shared:
            self._shared[name] = getattr(self, f"share_{name}")()
        return self._shared[name]

    def share_app(self) -> Json:
        """Alice's app, which runs."""
        return self.deploy("alice")

    def share_other_app(self) -> Json:
        """Another one, whose hostname is taken."""
        return self.deploy("admin")

    def share_operation(self) -> Json:
        """The deployment of the shared app."""
        app = self._find("app", {})
        operations: list[Json] = self.ask(f"/api/apps/{app['id']}/operations?per_page=100")["operations"]
        return next(each for each in operations if each["kind"] == "deploy_app")

    def share_backup(self) -> Json:
        """A complete backup of the shared app."""
        return self.back_up(self._find("app", {}))

    def share_export(self) -> Json:
        """The document of the shared app with the archive of its backup."""
        app, backup = self._find("app", {}), self._find("backup", {})
        body = {"passphrase": "correct horse battery staple", "backup_id": backup["id"]}
        return read_object(self.send("POST", f"/api/apps/{app['id']}/export", caller="alice", json=body), 200)

    def share_host(self) -> Json:
        """The simulated Proxmox."""
        hosts: list[Json] = self.ask("/api/proxmox/hosts")
        return hosts[0]

    def share_bob(self) -> Json:
        """Bob's account."""
        found: Json = self.ask("/api/auth/user", caller="bob")
        return found

    def share_alice(self) -> Json:
        """Alice's account."""
        found: Json = self.ask("/api/auth/user", caller="alice")
        return found

    def share_alices_session(self) -> Json:
        """The session that Alice's calls belong to."""
        return self._find_session("alice")

    def share_bobs_session(self) -> Json:
        """Bob's."""
        return self._find_session("bob")

    def _find_session(self, caller: str | Json) -> Json:
        found: Json = self.ask("/api/auth/sessions", caller=caller)["sessions"][0]
        return found

    def share_bobs_token(self) -> Json:
        """An API token of Bob's."""
        return self._make_token("bob")

    def make_hostname(self) -> str:
        return f"h-{uuid.uuid4().hex[:8]}"

    def make_word(self) -> str:
        return f"w{uuid.uuid4().hex[:8]}"

    def make_soon(self) -> str:
        return (datetime.now(UTC) + timedelta(days=7)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def make_spare_user(self) -> Json:
        """A session of an account that nobody needs afterwards."""
        made = self.register("spare")
        return made | {"session": self._find_session(made)}

    def make_spare_invitation(self) -> Json:
        """A one-time link that makes an account."""
        answer = self.send("POST", "/api/auth/invitations", caller="admin", json={})
        return read_object(answer, 201)

    def make_spare_token(self) -> Json:
        """An API token of Alice's."""
        return self._make_token("alice")

    def _make_token(self, caller: str) -> Json:
        answer = self.send("POST", "/api/auth/tokens", caller=caller, json={"name": self.make_word()})
        return read_object(answer, 201)

    def make_spare_host(self) -> Json:
        """A host that is not there: 192.0.2.0/24 is for documentation."""
        body = {"name": self.make_word(), "host": "192.0.2.1", "password": "secret"}
        return read_object(self.send("POST", "/api/proxmox/hosts", caller="admin", json=body), 201)

    def make_spare_source(self) -> Json:
        """A source of catalog items that cannot be fetched."""
        body = {"name": self.make_word(), "location": "/no/such/folder", "format": "native"}
        made = read_object(self.send("POST", "/api/catalog/sources", caller="admin", json=body), 201)
        deadline = time.monotonic() + LIMIT_S
        while made["status"] != "failed":
            assert time.monotonic() < deadline, f"{made} is not given up within {LIMIT_S:g} s"
            time.sleep(0.05)
            sources = self.ask("/api/catalog/sources")["sources"]
            made = next(each for each in sources if each["id"] == made["id"])
        return made

    def make_spare_app(self) -> Json:
        """An app of Alice's that may be changed or removed."""
        return self.deploy("alice")

    def make_spare_policy(self) -> Json:
        """A disabled policy of backups of the shared app."""
        app = self._find("app", {})
        body = {
            "name": self.make_word(), "schedule": "daily", "keep_last": 3, "app_ids": [app["id"]], "enabled": False,
        }  # fmt: skip
        return read_object(self.send("POST", "/api/backup-policies", caller="admin", json=body), 201)

    def make_spare_backup(self) -> Json:
        """A backup of the shared app that may be removed."""
        return self.back_up(self._find("app", {}))

    def make_begun(self) -> Json:
        """A deployment of Alice's that has just begun, with its operation."""
        app = self.begin_deployment("alice")
        operation = self.ask(f"/api/apps/{app['id']}/operations")["operations"][0]
        return {"app": app, "operation": operation}

    def make_elsewhere(self) -> str:
        """A node where the other app does not live."""
        here = self.ask(f"/api/apps/{self._find('other_app', {})['id']}")["node"]
        return "pve2" if here == "pve1" else "pve1"

    def make_node(self) -> Json:
        """A node of the host."""
        found: list[Json] = self.ask("/api/proxmox/nodes")
        return found[0]

    def make_stranger(self) -> Json:
        """A container that nobody made through the platform."""
        body = {"hostname": self.make_hostname(), "template": "debian-13", "running": True}
        answer = httpx.post(
            f"{self.stack.simulator['url']}/_sim/containers", json=body, verify=False, timeout=20
        )
        answer.raise_for_status()
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:  # a host that is slow just now is left out of an answer
            found: list[Json] = self.ask("/api/apps/discover")
            for each in found:
                if each["name"] == body["hostname"]:
                    return each
        raise AssertionError(f"{body['hostname']} is not discovered within {LIMIT_S:g} s")

    def begin_deployment(self, caller: str | Json, **given: Any) -> Json:
        """Ask for an app."""
        body = {"catalog_id": "whoami", "hostname": self.make_hostname()} | given
        return read_object(self.send("POST", "/api/apps", caller=caller, json=body), 201)

    def deploy(self, caller: str | Json) -> Json:
        """Deploy an app and wait until it runs."""
        return self.settle(self.begin_deployment(caller)["id"], wanted="running")

    def settle(self, app_id: str, *, wanted: str = "") -> Json:
        """Wait until nothing goes on with an app any more."""
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            app: Json = self.ask(f"/api/apps/{app_id}")
            if app["status"] in RESTING:
                assert not wanted or app["status"] == wanted, app
                if wanted != "running" or "memory_total" in app:  # a slow host says later what is used
                    return app
            time.sleep(0.1)
        raise AssertionError(f"{app_id} did not come to rest within {LIMIT_S:g} s: {app}")

    def wait_until_gone(self, app_id: str) -> None:
        """Wait until an app is removed."""
        deadline = time.monotonic() + LIMIT_S
        while self.send("GET", f"/api/apps/{app_id}/status", caller="admin").status_code != 404:
            assert time.monotonic() < deadline, f"{app_id} is still there after {LIMIT_S:g} s"
            time.sleep(0.1)

    def back_up(self, app: Json) -> Json:
        """Make a backup of an app and wait until it is complete."""
        self.settle(app["id"])
        path = f"/api/apps/{app['id']}/backups"
        made = read(self.send("POST", path, caller="alice", json={}), 202)
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            backup: Json = self.ask(f"{path}/{made['id']}")
            if backup["is_completed"]:
                self.settle(app["id"])
                return backup
            assert backup["is_in_progress"], backup
            time.sleep(0.1)
        raise AssertionError(f"backup {made['id']} is not complete after {LIMIT_S:g} s")

    def follow(self, wanted: str, answer: httpx.Response, made: Json) -> None:
        """Wait until what a request began has ended: `settle $app`, `settle answer.id` or `gone $spare_app.id`."""
        verb, _, name = wanted.partition(" ")
        if name.startswith("answer."):
            app_id = str(answer.json()[name.removeprefix("answer.")])
        else:
            app_id = str(self.resolve(name, made))
        if verb == "gone":
            self.wait_until_gone(app_id)
        else:
            self.settle(app_id)
