"""Simulated Proxmox servers beside the platform's own: their control, and tokens with no more than is needed."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests

from deploy.local.api import Api, PinnedAdapter
from tests.e2e.stack import RunningStack
from tests.pages import read_commands, run_commands
from tests.unit.pvesim.sim import Running


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

    def list_volumes(self, content: str) -> list[dict[str, Any]]:
        answer = self._session.get(f"{self._url}/volumes", params={"content": content}, timeout=30)
        found: list[dict[str, Any]] = answer.json()
        return found

    def add_volume(self, volume: dict[str, Any]) -> None:
        self._session.post(f"{self._url}/volumes", json=volume, timeout=30).raise_for_status()

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


# What `pveum` does with the API: the words of a command -> method, path, names of what stands without an option.
_PVEUM = {
    "user add": ("POST", "/access/users", ("userid",)),
    "role add": ("POST", "/access/roles", ("roleid",)),
    "acl modify": ("PUT", "/access/acl", ("path",)),
    "user token add": ("POST", "/access/users/{userid}/token/{tokenid}", ("userid", "tokenid")),
}


def read_page() -> tuple[str, str, list[str]]:
    """What docs/proxmox.md has typed on a node, for the fingerprint, and to register the host."""
    on_node, fingerprint, register = read_commands("docs/proxmox.md", by=__file__)
    return on_node, fingerprint, [f"curl {rest}" for rest in register.split("curl ")[1:]]


def make_token(sim: Running) -> str:
    """Do what the page says: a user with the least privileges, and a token; returns its secret."""
    answers = [_run_pveum(sim, shlex.split(line)) for line in read_page()[0].splitlines()]
    return str(answers[-1]["value"])


def _run_pveum(sim: Running, words: list[str]) -> Any:
    assert words[0] == "pveum", words
    name = next(name for name in _PVEUM if words[1:][: len(name.split())] == name.split())
    method, path, names = _PVEUM[name]
    rest = words[1 + len(name.split()) :]
    given = dict(zip(names, rest, strict=False))
    options = rest[len(names) :]
    given |= {name.removeprefix("--"): value for name, value in zip(options[::2], options[1::2], strict=True)}
    answer = sim.call(
        method, path.format(**given), **{each: given[each] for each in given if f"{{{each}}}" not in path}
    )
    assert answer.status == 200, (words, answer)
    return answer.data


def read_fingerprint(certificate: Path) -> str:
    """Of a node's certificate, as the page has it read."""
    said = run_commands(
        read_page()[1].replace("/etc/pve/local/pve-ssl.pem", str(certificate)),
        environment=os.environ,
        timeout=30,
    )
    return said.strip().partition("=")[2]


def register(stack: RunningStack, sim: Running, name: str) -> int:
    """Register a simulated server by its token, as the page says it, and return the host's id."""
    api, ready = stack.sign_in(), sim.client.ready
    add, test = read_page()[2]
    ports = f'"port": {ready["port"]}, "ssh_port": {ready["ssh_port"]}'
    for said, meant in {
        "homelab": name,
        '"192.0.2.10"': f'"{ready["host"]}", {ports}',
        "AA:BB:…": str(ready["fingerprint"]),
        "…": make_token(sim),
    }.items():
        add = add.replace(said, meant)
    host_id = int(type_curl(stack, api, add)["id"])
    answer = type_curl(stack, api, test.replace("/hosts/1/", f"/hosts/{host_id}/"))
    assert answer["success"], answer
    assert (answer["exec_mode"], answer["missing_privileges"]) == ("console", []), answer
    api.send("POST", f"/proxmox/hosts/{host_id}/sync-nodes", {})
    return host_id


def type_curl(stack: RunningStack, api: Api, command: str) -> dict[str, Any]:
    """Type a request of a page and return what it answers."""
    command = command.replace("http://localhost:8000", stack.url)
    said: dict[str, Any] = json.loads(
        run_commands(command, environment={**os.environ, "TOKEN": api.token}, timeout=60)
    )
    return said
