"""The Ansible collection with the real ansible-core: built, installed, and its playbooks run against the platform.

Each task of tests/e2e/ansible states with `failed_when` what its result has to be.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import ssl
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.stack import PASSWORD, USERNAME, RunningStack
from tests.pages import read_commands, run_commands

ROOT = Path(__file__).parents[2]
COLLECTION = ROOT / "clients" / "ansible" / "proximity.platform"
PLAYBOOKS = Path(__file__).parent / "ansible"
# Every task starts a Python of its own, which takes seconds on a machine that is busy with other suites.
RUN_LIMIT_S = 540
INSTALL_LIMIT_S = 120  # three programs of ansible-core and a make
TEMPLATES = {
    "version": "2",
    "templates": [
        {"type": 1, "title": "Probe", "description": "A page", "image": "nginx:1.27", "ports": ["80/tcp"]}
    ],
}


class Ansible:
    """Programs of ansible-core with the collection as docs/ansible.md installs it, and a home of their own.

    Args:
        home: folder for the collection, the settings and temporary files.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        own = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("ANSIBLE_", "PROXIMITY_"))
        }
        self._environment = {
            **own,
            "ANSIBLE_HOME": str(home),
            "ANSIBLE_COLLECTIONS_PATH": str(home / "collections"),
            "PAGER": "cat",
            "ANSIBLE_LOCAL_TEMP": str(home / "tmp"),
            "ANSIBLE_REMOTE_TEMP": str(home / "tmp"),
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
            "ANSIBLE_NOCOLOR": "true",
            "LC_ALL": "C.UTF-8",
        }
        [commands] = read_commands("docs/ansible.md", by=__file__)
        path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
        run_commands(commands, environment={**self._environment, "PATH": path}, timeout=INSTALL_LIMIT_S)

    def run(self, program: str, *arguments: str, **environment: str) -> str:
        """Run a program and return its output; fail with all of it unless it succeeds."""
        done = subprocess.run(
            [str(Path(sys.executable).with_name(program)), *arguments],
            cwd=self.home,
            env={**self._environment, **environment},
            capture_output=True,
            text=True,
            timeout=RUN_LIMIT_S,
        )
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
        return done.stdout

    def play(self, playbook: str, variables: dict[str, Any], *options: str) -> str:
        """Run a playbook of tests/e2e/ansible."""
        path = self.home / f"{uuid.uuid4().hex}.json"
        path.write_text(json.dumps({**variables, "ansible_python_interpreter": sys.executable}))
        return self.run("ansible-playbook", str(PLAYBOOKS / playbook), "-e", f"@{path}", *options)


@pytest.fixture(scope="module")
def ansible(tmp_path_factory: pytest.TempPathFactory) -> Ansible:
    return Ansible(tmp_path_factory.mktemp("ansible"))


def make_token(stack: RunningStack, *scopes: str) -> str:
    body = {"name": f"ansible-{uuid.uuid4().hex[:8]}", "scopes": list(scopes)}
    return str(stack.sign_in().send("POST", "/auth/tokens", body)["token"])


@pytest.mark.timeout(RUN_LIMIT_S + 60)
def test_apps_and_backups_are_brought_into_the_described_state(ansible: Ansible, stack: RunningStack) -> None:
    """Create, repeat, predict, change, back up, restore and remove; each change is made once."""
    token, hostname = make_token(stack, "read", "write"), f"ansible-{uuid.uuid4().hex[:8]}"
    said = ansible.play("apps.yml", {"url": stack.url, "api_token": token, "hostname": hostname})
    assert "failed=0" in said
    assert "pw-77" not in said
    assert token not in said
    assert stack.sign_in().send("GET", f"/apps?search={hostname}")["total"] == 0


@pytest.mark.timeout(RUN_LIMIT_S + 60)
def test_accounts_tokens_hosts_and_sources_are_brought_into_the_described_state(
    ansible: Ansible, stack: RunningStack
) -> None:
    name = f"ansible-{uuid.uuid4().hex[:8]}"
    certificate = stack.state / "keys" / "gateway.crt"
    folder = stack.state / "sources" / name
    folder.mkdir()
    (folder / "templates.json").write_text(json.dumps(TEMPLATES))
    simulator = stack.simulator
    address, _, port = simulator["url"].removeprefix("https://").rpartition(":")
    variables = {
        "https_url": f"https://127.0.0.1:{stack.port}",
        "username": USERNAME,
        "password": PASSWORD,
        "ca_file": str(certificate),
        "fingerprint": hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate.read_text())).hexdigest(),
        "name": name,
        "collection": str(folder),
        "proxmox": {
            "host": address,
            "port": int(port),
            "user": simulator["user"],
            "password": simulator["password"],
            "fingerprint": simulator["fingerprint"],
        },
    }
    api = stack.sign_in()
    said = ansible.play("administration.yml", variables)
    assert "failed=0" in said
    agents = {one["user_agent"] for one in api.send("GET", "/auth/sessions")["sessions"]}
    assert not any("ansible" in agent for agent in agents)  # each task has signed out again
    assert name not in {one["name"] for one in api.read_array("/proxmox/hosts")}
    assert name not in {one["name"] for one in api.send("GET", "/catalog/sources")["sources"]}
    assert name not in {one["name"] for one in api.send("GET", "/auth/tokens")["tokens"]}
    assert api.send("GET", f"/auth/users?search={name}")["users"] == []


@pytest.mark.timeout(RUN_LIMIT_S + 60)
def test_apps_are_an_inventory(ansible: Ansible, stack: RunningStack) -> None:
    api, hostname = stack.sign_in(), f"ansible-{uuid.uuid4().hex[:8]}"
    app = api.send("POST", "/apps", {"catalog_id": "adminer", "hostname": hostname})
    api.wait_for_app(app["id"], wanted="running", timeout=90, watch=lambda _: None)
    inventory = ansible.home / "apps.proximity.yml"
    described = {
        "plugin": "proximity.platform.apps",
        "status": "running",
        "keyed_groups": [{"key": "proximity_catalog_id", "prefix": "item"}],
        "groups": {"here": "proximity_node is defined"},
        "compose": {"app_url": "proximity_url"},
    }
    inventory.write_text(yaml.safe_dump(described))
    credentials = {"PROXIMITY_URL": stack.url, "PROXIMITY_TOKEN": make_token(stack, "read")}
    listed = ansible.run("ansible-inventory", "-i", str(inventory), "--list", **credentials)
    # ansible-core marks what comes from elsewhere, so that no template within is rendered.
    said = json.loads(listed, object_hook=lambda each: each.get("__ansible_unsafe", each))
    assert hostname in said["item_adminer"]["hosts"]
    assert hostname in said["here"]["hosts"]
    variables = said["_meta"]["hostvars"][hostname]
    assert (variables["proximity_id"], variables["app_url"]) == (app["id"], variables["proximity_url"])
    api.send("DELETE", f"/apps/{app['id']}")
    api.wait_for_app(app["id"], wanted="gone", timeout=90, watch=lambda _: None)


@pytest.fixture(scope="module")
def documented_modules(ansible: Ansible) -> dict[str, Any]:
    """What `ansible-doc` knows of every module, by full name."""
    names = [f"proximity.platform.{path.stem}" for path in (COLLECTION / "plugins" / "modules").glob("*.py")]
    found: dict[str, Any] = json.loads(ansible.run("ansible-doc", "--json", *names))
    assert found.keys() == set(names)
    return found


@pytest.mark.parametrize(
    "module", sorted(path.stem for path in (COLLECTION / "plugins" / "modules").glob("*.py"))
)
def test_a_module_is_documented_with_every_argument(
    ansible: Ansible, documented_modules: dict[str, Any], module: str
) -> None:
    """`ansible-doc` knows every option that the module takes, with the same type, default and choices."""
    name = f"proximity.platform.{module}"
    documented = documented_modules[name]
    assert set(documented) >= {"doc", "examples", "return"}
    source = (
        "import importlib, json, sys\n"
        f"module = importlib.import_module('ansible_collections.{name.replace(module, '')}plugins.modules.{module}')\n"
        "taken = {}\n"
        "class Stop(Exception): pass\n"
        "def record(arguments, **_):\n"
        "    taken.update(arguments)\n"
        "    raise Stop\n"
        "module.AnsibleModule = record\n"
        "try: module.main()\n"
        "except Stop: pass\n"
        "print(json.dumps(taken, default=str))\n"
    )
    said = ansible.run("python", "-c", source, PYTHONPATH=str(ansible.home / "collections"))
    taken, options = json.loads(said), documented["doc"]["options"]
    assert set(options) == set(taken)
    for option, argument in taken.items():
        for part in ("type", "default", "choices", "elements"):
            # An empty collection as the default is left out of what ansible-doc shows.
            assert (options[option].get(part) or None) == (argument.get(part) or None), (option, part)
        assert bool(options[option].get("required")) == bool(argument.get("required")), option


def list_examples() -> list[tuple[str, dict[str, Any]]]:
    """List the tasks of the modules' examples and of docs/ansible.md, each with the place that it is from."""
    found = []
    for path in sorted((COLLECTION / "plugins" / "modules").glob("*.py")):
        text = path.read_text().partition('EXAMPLES = r"""')[2].partition('"""')[0]
        found += [(path.stem, task) for task in yaml.safe_load(text)]
    for block in re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "ansible.md").read_text(), re.DOTALL):
        parsed = yaml.safe_load(block)
        plays = parsed if isinstance(parsed, list) else []
        found += [("docs/ansible.md", task) for play in plays for task in play["tasks"]]
    return found


def test_examples_use_options_that_exist(documented_modules: dict[str, Any]) -> None:
    examples = [
        (place, action, task[action])
        for place, task in list_examples()
        for action in task.keys() & documented_modules.keys()
    ]
    assert {action for _, action, _ in examples} == documented_modules.keys()
    unknown = [
        (place, option)
        for place, action, given in examples
        for option in given
        if option not in documented_modules[action]["doc"]["options"]
    ]
    assert unknown == []


def test_the_inventory_is_documented(ansible: Ansible) -> None:
    said = json.loads(ansible.run("ansible-doc", "--json", "-t", "inventory", "proximity.platform.apps"))
    assert "keyed_groups" in said["proximity.platform.apps"]["doc"]["options"]
