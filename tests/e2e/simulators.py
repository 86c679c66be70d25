"""Simulated Proxmox servers beside the platform's own: their control, and tokens with no more than is needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests

from deploy.local.api import Api, PinnedAdapter
from services.inventory.proxmox.privileges import NEEDED
from tests.unit.pvesim.sim import Running

USER = "proximity@pve"
TOKEN = "platform"


class Simulator:
    """The control of a simulated Proxmox, by what it said of itself when it was ready."""

    def __init__(self, ready: Mapping[str, Any]) -> None:
        self._url = f"{ready['url']}/_sim"
        self._session = requests.Session()
        self._session.mount("https://", PinnedAdapter(str(ready["fingerprint"])))

    def read_state(self) -> dict[str, Any]:
        state: dict[str, Any] = self._session.get(f"{self._url}/state", timeout=10).json()
        return state

    def list_vmids(self) -> set[int]:
        return {int(vmid) for vmid in self.read_state()["containers"]}

    def add_fault(self, fault: dict[str, Any]) -> None:
        self._session.post(f"{self._url}/faults", json=[fault], timeout=10).raise_for_status()

    def count_strikes(self) -> dict[str, int]:
        """How often each kind of fault has struck."""
        rules = self._session.get(f"{self._url}/faults", timeout=10).json()
        return {str(one["kind"]): int(one["struck"]) for one in rules["rules"]}

    def clear_faults(self) -> None:
        self._session.delete(f"{self._url}/faults", timeout=10).raise_for_status()

    def list_requests(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._session.get(f"{self._url}/requests", timeout=30).json()
        return found

    def list_commands(self, where: str = "") -> list[dict[str, Any]]:
        answer = self._session.get(f"{self._url}/commands", params={"where": where}, timeout=10)
        found: list[dict[str, Any]] = answer.json()
        return found


def list_rejected(ready: Mapping[str, Any]) -> list[str]:
    """Requests that the official schema of Proxmox VE does not accept, each with what is wrong with it."""
    return sorted(
        {
            f"{one['method']} {one['path']} {one['params']}: {one['errors']}"
            for one in Simulator(ready).list_requests()
            if not one["accepted"]
        }
    )


def make_token(sim: Running) -> tuple[str, str]:
    """Do what docs/proxmox.md says: a user with the least privileges, and a token; returns its id and secret."""
    assert sim.call("POST", "/access/users", userid=USER).status == 200
    for path, privileges in NEEDED.items():
        role = "Proximity" + "".join(part.capitalize() for part in path.strip("/").split("/"))
        sim.call("POST", "/access/roles", roleid=role, privs=",".join(privileges))
        assert sim.call("PUT", "/access/acl", path=path, users=USER, roles=role).status == 200
    answer = sim.call("POST", f"/access/users/{USER}/token/{TOKEN}", privsep=0)
    return f"{USER}!{TOKEN}", str(answer.data["value"])


def register(api: Api, sim: Running, name: str) -> int:
    """Register a simulated server by its token and return the host's id."""
    ready = sim.client.ready
    token_id, secret = make_token(sim)
    body = {
        "name": name,
        "host": ready["host"],
        "port": ready["port"],
        "ssh_port": ready["ssh_port"],
        "user": USER,
        "token_id": token_id,
        "token_secret": secret,
        "fingerprint": ready["fingerprint"],
    }
    host_id = int(api.send("POST", "/proxmox/hosts", body, expect=201)["id"])
    answer = api.send("POST", f"/proxmox/hosts/{host_id}/test", {})
    assert answer["success"], answer
    assert (answer["exec_mode"], answer["missing_privileges"]) == ("console", []), answer
    api.send("POST", f"/proxmox/hosts/{host_id}/sync-nodes", {})
    return host_id
