"""Users: each carries out its choices one after another and writes down every exchange."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import httpx

from tests.chaos.attending import follow_events, use_terminal
from tests.chaos.choices import ON_BACKUPS, Choice
from tests.chaos.history import METHODS, Exchange, History
from tests.chaos.topology import ADOPTABLE, NODES

_TIMEOUT_S = 20.0
_MOST_APPS = 6
_RESTING = {"running", "stopped", "error"}
_RESEND_AFTER_S = 0.7
_ATTENDED = {"watch": ("events", follow_events), "terminal": ("terminal", use_terminal)}


class User:
    """A person with a client that knows what it has seen.

    Args:
        url: of the gateway.
        history: where exchanges go.
        index: which of the users; the first is the administrator.

    Attributes:
        policies: ids of the policies that an administrator changes now and then.
    """

    def __init__(self, url: str, history: History, index: int) -> None:
        self.index = index
        self.id = 0
        self._http = httpx.AsyncClient(base_url=f"{url}/api", timeout=_TIMEOUT_S)
        self._history = history
        self._apps: list[dict[str, Any]] = []
        self._keyed: list[Exchange] = []
        self._operations: list[tuple[str, str]] = []
        self._backups: list[tuple[str, int]] = []
        self.policies: Sequence[int] = ()

    async def sign_in(self, username: str, password: str) -> None:
        """Sign in, with a new account for all but the administrator."""
        path = "/auth/register" if self.index else "/auth/login"
        body = {"username": username, "password": password}
        answer = await self._http.post(path, json=body)
        answer.raise_for_status()
        self.id = int(answer.json()["user"]["id"])
        self._http.cookies.clear()
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access']}"

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def carry_out(self, choices: Sequence[Choice], *, until: float, others: Sequence[User]) -> int:
        """Carry out choices until a time of the monotonic clock; how many there were."""
        done = 0
        for choice in choices:
            if time.monotonic() + choice.pause >= until:
                break
            await asyncio.sleep(choice.pause)
            await self._act(choice, others)
            done += 1
        return done

    async def read(self, path: str, *, subject: str = "", action: str = "look") -> Exchange:
        """Read something."""
        return await self._send("GET", path, action=action, subject=subject)

    async def write(self, path: str, body: dict[str, Any], *, action: str, method: str = "POST") -> Exchange:
        """Write something without a key."""
        return await self._send(method, path, action=action, body=body)

    async def _act(self, choice: Choice, others: Sequence[User]) -> None:
        match choice.action:
            case "deploy":
                await self._deploy(choice)
            case "adopt":
                await self._adopt(choice)
            case "resend":
                await self._repeat(choice)
            case "look":
                await self._look(choice)
            case "pry":
                await self._pry(choice, others)
            case "restore" | "restore_beside" | "delete_backup" | "test_backup" | "protect":
                await self._use_backup(choice)
            case "cancel":
                await self._cancel(choice)
            case "reschedule":
                await self._reschedule(choice)
            case "watch" | "terminal":
                await self._attend(choice)
            case _:
                await self._change(choice)

    async def _deploy(self, choice: Choice) -> None:
        if len(self._apps) >= _MOST_APPS:
            await self._look(choice)
            return
        body: dict[str, Any] = {"catalog_id": "adminer", "hostname": f"h-{choice.key}"}
        runtime = "oci" if choice.value % 4 == 0 else "compose"
        body["config"] = {"memory": 256, "disk_size": 4, "runtime": runtime}
        if choice.value % 3 == 0:
            body["node"] = NODES[choice.value % len(NODES)]
        await self._create(choice, "/apps", body)

    async def _adopt(self, choice: Choice) -> None:
        vmid = ADOPTABLE[choice.value % len(ADOPTABLE)]
        body = {"vmid": vmid, "node_name": NODES[vmid % len(NODES)], "port_to_expose": 80}
        await self._create(choice, "/apps/adopt", body)

    async def _change(self, choice: Choice) -> None:
        """What concerns one app: mostly one that rests, now and then one that is busy."""
        await self._list()
        resting = [app for app in self._apps if app.get("status") in _RESTING]
        app = _pick(self._apps if choice.value % 6 == 0 else resting, choice.pick)
        if app is None:
            return
        path, subject = f"/apps/{app['id']}", str(app["id"])
        body: dict[str, Any]
        match choice.action:
            case "start" | "stop" | "restart":
                body = {"action": choice.action}
                await self._send("POST", f"{path}/action", action=choice.action, subject=subject, body=body)
            case "clone":
                if len(self._apps) < _MOST_APPS:
                    await self._create(
                        choice, f"{path}/clone", {"new_hostname": f"c-{choice.key}"}, subject=subject
                    )
            case "back_up":
                kind = ("snapshot", "suspend", "stop")[choice.value % 3]
                await self._create(choice, f"{path}/backups", {"backup_type": kind}, subject=subject)
            case "update":
                body = {"name": f"n-{choice.key}", "memory": 128 + choice.value % 8 * 64}
                await self._send("PATCH", path, action="update", subject=subject, body=body)
            case "delete":
                await self._send("DELETE", path, action="delete", subject=subject)

    async def _use_backup(self, choice: Choice) -> None:
        found = _pick(self._backups, choice.pick)
        if found is None:
            await self._look(choice)
            return
        app_id, backup_id = found
        path = f"/apps/{app_id}/backups/{backup_id}"
        if choice.action in ON_BACKUPS:
            method, suffix, sent = ON_BACKUPS[choice.action]
            await self._send(method, f"{path}{suffix}", action=choice.action, subject=app_id, body=sent)
            return
        beside = choice.action == "restore_beside" and len(self._apps) < _MOST_APPS
        body: dict[str, Any] = {"new_hostname": f"r-{choice.key}"} if beside else {}
        if not beside and choice.value % 3 == 0:
            body = {"safety_backup": False}
        await self._create(choice, f"{path}/restore", body, subject=app_id)

    async def _cancel(self, choice: Choice) -> None:
        """Cancel one of the operations that began last, so that some still run."""
        found = _pick(self._operations[-3:], choice.pick)
        if found is not None:
            app_id, operation_id = found
            path = f"/apps/{app_id}/operations/{operation_id}/cancel"
            await self._send("POST", path, action="cancel", subject=app_id, body={})

    async def _reschedule(self, choice: Choice) -> None:
        """Change how many backups a policy keeps, or show what that would remove."""
        path = f"/backup-policies/{_pick(self.policies, choice.pick)}"
        body: dict[str, Any] = {"keep_last": 1 + choice.value % 2}
        if choice.value % 3:
            await self._send("POST", f"{path}/preview", action="preview", body={})
        else:
            await self._send("PATCH", path, action="reschedule", body=body)

    async def _attend(self, choice: Choice) -> None:
        """Follow the events of an app for a while, or type into a terminal in it."""
        running = [app for app in self._apps if app.get("status") == "running"]
        app = _pick(running if choice.value % 4 else self._apps, choice.pick)
        if app is None:
            return
        (end, attend), sent = _ATTENDED[choice.action], time.time()
        path = f"/apps/{app['id']}/{end}"
        status, answer = await attend(self._http, path, choice.value)
        exchange = self._describe(choice.action, "GET", path, subject=str(app["id"]), sent=sent)
        self._note(replace(exchange, status=status, answer=answer))

    async def _look(self, choice: Choice) -> None:
        """Read the list, and one app with its backups."""
        await self._list()
        app = _pick(self._apps, choice.pick)
        if app is not None:
            await self.read(f"/apps/{app['id']}", subject=str(app["id"]))
            backups = await self.read(f"/apps/{app['id']}/backups", subject=str(app["id"]))
            if backups.status == 200:
                kept = [one for one in self._backups if one[0] != app["id"]]
                self._backups = kept + [(str(app["id"]), int(one["id"])) for one in backups.answer["backups"]]

    async def _list(self) -> None:
        listed = await self._send("GET", "/apps?per_page=100", action="look")
        if listed.status == 200:
            self._apps = [app for app in listed.answer["apps"] if app["owner_id"] == self.id]

    async def _pry(self, choice: Choice, others: Sequence[User]) -> None:
        """Ask for what is somebody else's."""
        app = _pick([app for other in others if other is not self for app in other._apps], choice.pick)
        if app is not None:
            await self.read(f"/apps/{app['id']}", subject=str(app["id"]), action="pry")

    async def _repeat(self, choice: Choice) -> None:
        """Send a request again under its key."""
        earlier = _pick(self._keyed[-12:], choice.pick)
        if earlier is None:
            await self._look(choice)
            return
        await self._send(
            earlier.method,
            earlier.path,
            action=earlier.action,
            subject=earlier.subject,
            body=earlier.body,
            key=earlier.key,
        )

    async def _create(self, choice: Choice, path: str, body: dict[str, Any], *, subject: str = "") -> None:
        """Send with a key; what gets no answer is sent again, as a careful client does."""
        action = choice.action
        for attempt in range(3):
            found = await self._send("POST", path, action=action, subject=subject, body=body, key=choice.key)
            if attempt == 0:
                self._keyed.append(found)
            if 0 < found.status < 500 or not choice.resend:
                return
            await asyncio.sleep(_RESEND_AFTER_S)

    async def _send(
        self,
        method: str,
        path: str,
        *,
        action: str,
        subject: str = "",
        body: dict[str, Any] | None = None,
        key: str = "",
    ) -> Exchange:
        sent = time.time()
        status, answer = await self._request(method, path, body, key)
        exchange = self._describe(action, method, path, subject=subject, sent=sent)
        return self._note(replace(exchange, body=body or {}, key=key, status=status, answer=answer))

    def _describe(self, action: str, method: str, path: str, *, subject: str, sent: float) -> Exchange:
        """Describe an exchange that has just ended, but for what was sent and answered."""
        return Exchange(
            user_id=self.id,
            is_admin=self.index == 0,
            action=action,
            subject=subject,
            method=method,
            path=path,
            sent=sent,
            answered=time.time(),
            status=0,
        )

    def _note(self, exchange: Exchange) -> Exchange:
        found = self._history.add(exchange)
        self._learn(found)
        return found

    async def _request(
        self, method: str, path: str, body: dict[str, Any] | None, key: str
    ) -> tuple[int, Any]:
        headers = {"Idempotency-Key": key} if key else {}
        try:
            answer = await self._http.request(method, path, json=body, headers=headers)
            return answer.status_code, answer.json() if answer.content else {}
        except (httpx.HTTPError, ValueError) as error:
            return 0, {"error": f"{type(error).__name__}: {error}"}

    def _learn(self, found: Exchange) -> None:
        """Remember the app and the operation that an answer speaks of."""
        if not found.is_accepted or not isinstance(found.answer, dict):
            return
        app_id = str(found.answer.get("app_id") or found.answer.get("id") or found.subject)
        operation = str(found.answer.get("operation_id") or found.operation_id)
        if found.action in {"deploy", "clone", "adopt"} and app_id not in {app["id"] for app in self._apps}:
            self._apps.append({"id": app_id})
        if found.action == "back_up":
            self._backups.append((found.subject, int(found.answer["id"])))
        elif operation and found.action in {*METHODS, "start", "stop", "restart", "delete"}:
            self._operations.append((app_id if found.action in METHODS else found.subject, operation))


def _pick(among: Sequence[Any], pick: float) -> Any:
    return among[int(pick * len(among))] if among else None
