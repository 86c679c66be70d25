"""What a recording takes for granted: containers, users, credentials, what happened unrecorded."""

from dataclasses import dataclass, field
from typing import Any

from tests.pvesim.replay.client import Client
from tests.pvesim.replay.infer import infer_cgroup_mode, infer_containers, infer_missing, speaks_token

Headers = dict[str, str]
DEBIAN = "local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst"
NET = "name=eth0,bridge=vmbr0,firewall=1,hwaddr=BC:24:11:02:FB:46,ip=dhcp,type=veth"
WEB: dict[str, Any] = {
    "vmid": 105, "node": "pve", "hostname": "web", "template": "debian-12-standard", "running": True,
    "storage": "local", "disk": 1,
    "config": {"net0": NET, "features": "nesting=1", "tags": "bar;foo", "ostype": "debian"},
}  # fmt: skip
PLAIN: dict[str, Any] = {
    "vmid": 300, "node": "pve", "hostname": "CT300", "template": "debian-12-standard", "storage": "local",
    "disk": 4, "config": {"net0": None, "env": "9=x"},
}  # fmt: skip
NOTES = "# Title\nline two ümlaut: %41"
JSON_PUT = {
    "json body": '{"description": "from json"}',
    "json body int": '{"memory": 512}',
    "json body bool true": '{"onboot": true}',
    "json invalid": "{nope",
}


@dataclass
class Scene:
    """The state of one replay: who is signed in, which task is which."""

    client: Client
    cookie: Headers = field(default_factory=dict)
    alice: Headers = field(default_factory=dict)
    upids: dict[str, str] = field(default_factory=dict)
    ticket: str = ""

    def sign_in(self) -> None:
        """Sign in as root."""
        ready = self.client.ready
        login = {"username": ready["user"], "password": ready["password"]}
        answer = self.client.call("POST", "/access/ticket", login)
        self.ticket = answer.data["ticket"]
        self.cookie = {
            "Cookie": f"PVEAuthCookie={self.ticket}",
            "CSRFPreventionToken": answer.data["CSRFPreventionToken"],
        }

    def add_alice(self) -> None:
        """A user without rights, and her token."""
        call = self.client.call
        call(
            "POST", "/access/users", {"userid": "alice@pve", "password": "alice-secret"}, headers=self.cookie
        )
        answer = call("POST", "/access/users/alice@pve/token/t1", {}, headers=self.cookie)
        self.alice = {"Authorization": f"PVEAPIToken=alice@pve!t1={answer.data['value']}"}

    def run(self, method: str, path: str, params: dict[str, Any], *, wait: bool = True) -> str:
        """Something that happened and was not recorded."""
        answer = self.client.call(method, path, params, headers=self.cookie)
        upid = str(answer.data)
        if wait and upid.startswith("UPID:"):
            self.client.wait_task(upid, self.cookie)
        return upid

    def set_clock(self, now: int) -> None:
        """Make it as late as it was."""
        self.client.control("POST", "/clock", {"now": now + 0.05})

    # Beginnings --------------------------------------------------------------

    def prepare(self, name: str, exchanges: list[dict[str, Any]]) -> None:
        """Set up what the recording `name` found."""
        self.set_clock(_find_start(exchanges))
        self.sign_in()
        self.add_alice()
        prepare = {
            "auth-and-errors": self._prepare_web,
            "param-verification": self._prepare_web,
            "retention": self._prepare_web,
            "lifecycle": self._prepare_lifecycle,
            "backup-restore-clone-snapshot": self._prepare_backups,
            "locks-tasks-misc": self._prepare_locks,
        }.get(name)
        if prepare:
            prepare()
        else:
            self.client.control("PATCH", "/nodes/pve", {"missing": infer_missing(exchanges)})
            self.client.control("PATCH", "/cluster", {"cgroup_mode": infer_cgroup_mode(exchanges)})
            found = infer_containers(exchanges)
            for container in found:
                self.client.control("POST", "/containers", container)
            if not _mentions_web(exchanges, found):
                self._prepare_web()

    def _add(self, wanted: dict[str, Any], **config: Any) -> None:
        merged = {**wanted, "config": {**wanted["config"], **config}}
        self.client.control("POST", "/containers", merged)

    def _prepare_web(self) -> None:
        self._add(WEB)

    def _prepare_lifecycle(self) -> None:
        self._add(WEB, description="from json", onboot=1)
        self._add(PLAIN)
        missing = ["skopeo", "termproxy", "criu", "jobs", "cstream"]
        self.client.control("PATCH", "/nodes/pve", {"missing": missing})

    def _prepare_changed_web(self) -> None:
        later = {"description": NOTES, "onboot": 1, "features": "nesting=1,keyctl=1", "memory": 768}
        self._add({**WEB, "hostname": "web2", "disk": 2, "running": False}, **later)
        self._add(PLAIN)

    def _prepare_backups(self) -> None:
        self._prepare_changed_web()
        rules = [
            {"kind": "lock_timeout", "match": {"type": "vzrollback"}, "after": 1, "times": 1},
            {
                "kind": "error",
                "status": 596,
                "reason": "Connection timed out",
                "match": {"method": "GET", "path": "/lxc/110/status/current"},
                "times": 1,
            },
        ]
        self.client.control("POST", "/faults", rules)

    def _prepare_locks(self) -> None:
        self._prepare_changed_web()
        dump = {"storage": "backup", "mode": "stop", "compress": "zstd", "remove": 0}
        self.set_clock(1795312620)
        notes = {"notes-template": "{{guestname}} {{vmid}} {{node}}", "protected": 1}
        self.run("POST", "/nodes/pve/vzdump", {"vmid": 105, **dump, **notes})
        self.set_clock(1795312635)
        self.run("POST", "/nodes/pve/vzdump", {"vmid": 300, **dump})
        self.client.control("PATCH", "/containers/300", {"lock": "backup"})

    # What happened between two exchanges ---------------------------------------

    def step_in(self, label: str, request: str) -> None:
        """Do what somebody did just before the exchange with this label."""
        if label == "running task status":
            self._start_slow_backup(request)
        elif label == "config during create":
            self._start_slow_create()
        elif label == "after create start=1":
            for upid in self._list_running():
                self.client.wait_task(upid, self.cookie)
        elif label == "node known but unreachable":
            self.client.control("POST", "/containers", {"vmid": 500, "node": "pve2"})

    def _start_slow_backup(self, request: str) -> None:
        self.client.control("PATCH", "/containers/300", {"lock": None})
        recorded = (
            request.split("/tasks/")[1].split("/", maxsplit=1)[0].replace("%3A", ":").replace("%40", "@")
        )
        slow = {"vmid": 300, "mode": "stop", "remove": 0, "bwlimit": 40, "storage": "backup"}
        self.upids[recorded] = self.run("POST", "/nodes/pve/vzdump", slow, wait=False)
        while not self._has_archive(self.upids[recorded]):
            pass

    def _has_archive(self, upid: str) -> bool:
        log = self.client.call("GET", f"/nodes/pve/tasks/{upid}/log", headers=self.cookie)
        return any("creating vzdump archive" in line["t"] for line in log.data)

    def _start_slow_create(self) -> None:
        hold = {"kind": "task_hang", "match": {"type": "vzcreate", "vmid": 401}, "seconds": 0.7}
        self.client.control("POST", "/faults", [hold])
        wanted = {"vmid": 401, "ostemplate": DEBIAN, "hostname": "dur", "rootfs": "local:1", "start": 1}
        self.run("POST", "/nodes/pve/lxc", wanted, wait=False)

    def _list_running(self) -> list[str]:
        answer = self.client.call("GET", "/nodes/pve/tasks", {"source": "active"}, headers=self.cookie)
        return [one["upid"] for one in answer.data]

    # Credentials ---------------------------------------------------------------

    def choose_headers(self, label: str, exchange: dict[str, Any]) -> Headers:
        """The credentials that an exchange tells of; root's cookie where it tells of none."""
        ready = self.client.ready
        secret = ready["token_secret"]
        tokens = {
            "token wrong secret": "root@pam!app=00000000-0000-0000-0000-000000000000",
            "token unknown id": f"root@pam!nosuch={secret}",
            "token unknown user": f"nobody@pam!app={secret}",
            "token malformed": "nonsense",
            "token user@realm without bang": f"root@pam={secret}",
        }
        if label.startswith("no credentials"):
            return {}
        if label == "garbage cookie":
            return {"Cookie": "PVEAuthCookie=garbage"}
        if label == "well formed but wrong sig cookie":
            return {"Cookie": "PVEAuthCookie=PVE:root@pam:6B024ACF::AAAA"}
        if label == "cookie POST without CSRF":
            return {"Cookie": self.cookie["Cookie"]}
        if label == "cookie POST with wrong CSRF":
            return {**self.cookie, "CSRFPreventionToken": "6B024ACF:AAAA"}
        if label in tokens:
            return {"Authorization": f"PVEAPIToken={tokens[label]}"}
        if label == "Bearer":
            return {"Authorization": f"Bearer {secret}"}
        if label == "unprivileged token":
            return self.alice
        if label.startswith("token ok") or speaks_token(exchange):
            return {"Authorization": f"PVEAPIToken={ready['token_id']}={secret}"}
        return self.cookie


def _find_start(exchanges: list[dict[str, Any]]) -> int:
    for one in exchanges:
        data = one["body"].get("data") if isinstance(one["body"], dict) else None
        if isinstance(data, str) and data.startswith("UPID:"):
            return int(data.split(":")[4], 16)
    return 1795312335


def _mentions_web(exchanges: list[dict[str, Any]], found: list[dict[str, Any]]) -> bool:
    """Whether container 105, which nearly every recording uses, is made or shown by this one."""
    made = any(
        WEB["vmid"] in ((one["params"] or {}).get("vmid"), (one["params"] or {}).get("newid"))
        for one in exchanges
    )
    return made or any(one["vmid"] == WEB["vmid"] for one in found)
