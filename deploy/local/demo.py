"""The demonstration: an app's whole life through the REST API, with nothing but what any client may do."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import requests
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from deploy.local.api import Api, DemoError, PinnedAdapter, SignInError, read_page, write_page
from deploy.local.settings import LocalSettings

__all__ = ["DemoError", "play_demo"]

_LONG_S = 180.0  # a deployment on a real host installs Docker and pulls an image
_NOTE = "/_data/note.txt"  # where the simulated apps keep what is put there


def play_demo(settings: LocalSettings, password: str, *, console: Console) -> None:
    """Play every scene in order and print what each took.

    Raises:
        DemoError: a scene failed; the message names it.
    """
    Demo(settings, console).play(password)


class Demo:
    """One performance.

    Args:
        settings: of the stack that is running.
        console: where it is shown.
    """

    def __init__(self, settings: LocalSettings, console: Console) -> None:
        self._settings = settings
        self._console = console
        self._api = Api(settings.url, certificate=settings.certificate)
        self._suffix = secrets.token_hex(3)
        self._rows: list[tuple[str, str, float]] = []
        self._app: dict[str, Any] = {}
        self._clone: dict[str, Any] = {}
        self._backup: dict[str, Any] = {}

    def play(self, password: str) -> None:
        """Play it."""
        self._run("sign in", lambda _: self._sign_in(password))
        self._run("Proxmox host", lambda _: self._look_at_host())
        self._run("deploy adminer", self._deploy)
        try:
            self._play_life()
        finally:
            self._show_summary()
        self._console.print("[bold green]everything worked[/]")

    def _play_life(self) -> None:
        simulated = self._settings.is_simulated
        self._run("open it", lambda _: self._open())
        self._run("back up", self._back_up)
        self._run("change and restore", self._restore)
        self._run("clone", self._make_clone)
        if simulated:
            self._run("adopt a stranger", self._adopt)
        self._run("delete both", self._delete)

    def _run(self, title: str, scene: Callable[[Callable[[dict[str, Any]], None]], str]) -> None:
        began = time.monotonic()
        with self._show_progress(title) as watch:
            try:
                outcome = scene(watch)
            except (KeyError, TypeError, IndexError) as error:
                raise DemoError(f"{title}: an answer lacks what it should have: {error!r}") from error
            except (DemoError, requests.RequestException) as error:
                raise DemoError(f"{title}: {error}") from error
        took = time.monotonic() - began
        self._rows.append((title, outcome, took))
        self._console.print(f"[green]✓[/] {title:<20} {escape(outcome)} [dim]({took:.1f} s)[/]")

    @contextmanager
    def _show_progress(self, title: str) -> Iterator[Callable[[dict[str, Any]], None]]:
        columns = (
            TextColumn("  {task.description:<44}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
        )
        with Progress(*columns, TimeElapsedColumn(), console=self._console, transient=True) as progress:
            task = progress.add_task(title, total=100)

            def watch(status: dict[str, Any]) -> None:
                step = status.get("step_description") or status.get("step") or status["status"]
                progress.update(
                    task, completed=status.get("progress", 0), description=escape(f"{title}: {step}"[:44])
                )

            yield watch

    def _sign_in(self, password: str) -> str:
        try:
            user = self._api.sign_in(self._settings.admin_username, password)
        except SignInError:
            settings = self._settings
            raise DemoError(
                f"the state in {settings.state} has accounts already, and {settings.admin_username!r} has another "
                "password or is not one of them. Name an administrator of it with PROXIMITY_ADMIN_USERNAME and "
                "PROXIMITY_ADMIN_PASSWORD, or use an empty state: PROXIMITY_STATE_DIR=.proximity-demo make demo"
            ) from None
        return f"as {user['username']}" + (", an administrator" if user["is_staff"] else "")

    def _look_at_host(self) -> str:
        """Find the host and wait until its nodes are known."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            hosts = self._api.read_array("/proxmox/hosts")
            nodes = self._api.read_array("/proxmox/nodes") if hosts else []
            online = [node["name"] for node in nodes if node["status"] == "online"]
            if online:
                return f"{hosts[0]['name']} with nodes {', '.join(sorted(online))}"
            if hosts:
                self._api.send("POST", f"/proxmox/hosts/{hosts[0]['id']}/sync-nodes", {})
            time.sleep(0.3)
        raise DemoError("no node is online")

    def _deploy(self, watch: Callable[[dict[str, Any]], None]) -> str:
        body = {"catalog_id": "adminer", "hostname": f"demo-{self._suffix}", "name": "Demonstration"}
        app_id = self._api.send("POST", "/apps", body, expect=201)["id"]
        self._app = self._api.wait_for_app(app_id, wanted="running", timeout=_LONG_S, watch=watch)
        return f"{app_id} in container {self._app['lxc_id']} on {self._app['node']}"

    def _open(self) -> str:
        page = read_page(self._app["url"])
        if "adminer" not in page.lower():
            raise DemoError(f"{self._app['url']} shows something else: {page[:200]}")
        if self._settings.is_simulated:
            write_page(self._app["url"].rstrip("/") + _NOTE, "before the backup")
        return str(self._app["url"])

    def _back_up(self, watch: Callable[[dict[str, Any]], None]) -> str:
        app_id = self._app["id"]
        backup_id = self._api.send("POST", f"/apps/{app_id}/backups", {}, expect=202)["id"]
        self._backup = self._api.wait_for_backup(app_id, backup_id, timeout=_LONG_S)
        self._app = self._api.wait_for_app(app_id, wanted="running", timeout=_LONG_S, watch=watch)
        return f"{self._backup['file_name']}, {self._backup['size_mb']:.1f} MB"

    def _restore(self, watch: Callable[[dict[str, Any]], None]) -> str:
        app_id, note = self._app["id"], self._app["url"].rstrip("/") + _NOTE
        if self._settings.is_simulated:
            write_page(note, "after the backup")
        path = f"/apps/{app_id}/backups/{self._backup['id']}/restore"
        self._api.send("POST", path, {}, expect=202)
        self._app = self._api.wait_for_app(app_id, wanted="running", timeout=_LONG_S, watch=watch)
        note = self._app["url"].rstrip("/") + _NOTE
        found = read_page(note if self._settings.is_simulated else self._app["url"])
        if self._settings.is_simulated and found != "before the backup":
            raise DemoError(f"the data is {found!r} after the restore")
        return "the data is what it was" if self._settings.is_simulated else "it answers again"

    def _make_clone(self, watch: Callable[[dict[str, Any]], None]) -> str:
        body = {"new_hostname": f"demo-{self._suffix}-copy"}
        clone_id = self._api.send("POST", f"/apps/{self._app['id']}/clone", body, expect=202)["app_id"]
        self._clone = self._api.wait_for_app(clone_id, wanted="running", timeout=_LONG_S, watch=watch)
        self._app = self._api.wait_for_app(self._app["id"], wanted="running", timeout=_LONG_S, watch=watch)
        if self._clone["lxc_id"] == self._app["lxc_id"]:
            raise DemoError(f"the clone has the same container {self._app['lxc_id']}")
        read_page(self._clone["url"])
        return f"{clone_id} at {self._clone['url']}"

    def _adopt(self, watch: Callable[[dict[str, Any]], None]) -> str:
        stranger = self._make_stranger()
        found = [one for one in self._api.read_array("/apps/discover") if one["vmid"] == stranger]
        if not found:
            raise DemoError(f"container {stranger} was not discovered")
        body = {"vmid": stranger, "node_name": found[0]["node"], "suggested_type": "grafana"}
        app_id = self._api.send("POST", "/apps/adopt", body, expect=202)["app_id"]
        app = self._api.wait_for_app(app_id, wanted="running", timeout=_LONG_S, watch=watch)
        read_page(app["url"])
        self._remove(app_id, watch)
        if stranger not in [one["vmid"] for one in self._api.read_array("/apps/discover")]:
            raise DemoError(f"container {stranger} is not there any more after it was released")
        return f"container {stranger} ({found[0]['name']}), and let it go again unharmed"

    def _make_stranger(self) -> int:
        """Have somebody else make a container in the simulated Proxmox and return its id."""
        text = (self._settings.state / "pvesim.json").read_text(encoding="utf-8")
        simulator: dict[str, Any] = json.loads(text)
        vmid = 700 + secrets.randbelow(8000)
        container = {
            "vmid": vmid,
            "node": self._app["node"],
            "hostname": f"stranger-{self._suffix}",
            "template": "debian-12-standard_12.7-1_amd64.tar.zst",
            "services": ["grafana-server"],  # at 3000: an ordinary account may not open ports below 1024
            "running": True,
        }
        session = requests.Session()
        session.mount("https://", PinnedAdapter(simulator["fingerprint"]))
        answer = session.post(f"{simulator['url']}/_sim/containers", json=container, timeout=10)
        if answer.status_code >= 300:
            raise DemoError(f"no stranger could be made: {answer.text[:300]}")
        return vmid

    def _delete(self, watch: Callable[[dict[str, Any]], None]) -> str:
        for app in (self._clone, self._app):
            self._remove(app["id"], watch)
        return "their containers are gone"

    def _remove(self, app_id: str, watch: Callable[[dict[str, Any]], None]) -> None:
        self._api.send("DELETE", f"/apps/{app_id}", expect=202)
        self._api.wait_for_app(app_id, wanted="gone", timeout=_LONG_S, watch=watch)

    def _show_summary(self) -> None:
        table = Table(title="What was shown")
        for name in ("scene", "outcome", "seconds"):
            table.add_column(name, justify="right" if name == "seconds" else "left", overflow="fold")
        for title, outcome, took in self._rows:
            table.add_row(title, escape(outcome), f"{took:.1f}")
        self._console.print(table)
