"""What users of a composition do."""

from __future__ import annotations

import uuid
from typing import Any

from deploy.local.api import Api
from tests.images.daemon import Composition

LIMIT_S = 240.0  # of one operation on a loaded machine
# The simulator shares inventory's network; its credentials are those of tests/pvesim.
_HOST = {
    "name": "simulated",
    "host": "127.0.0.1",
    "port": 8006,
    "ssh_port": 2222,
    "user": "root@pam",
    "password": "secret123",
    "verify_ssl": False,
}


def ignore(_: dict[str, Any]) -> None:
    """Nobody watches the progress."""


def add_host(api: Api) -> None:
    """Add the simulated Proxmox VE once."""
    if not api.read_array("/proxmox/hosts"):
        host = api.send("POST", "/proxmox/hosts", _HOST, expect=201)
        api.send("POST", f"/proxmox/hosts/{host['id']}/sync-nodes", {})


def begin_app(api: Api) -> str:
    """Begin a deployment and return the id of the app."""
    body = {"catalog_id": "adminer", "hostname": f"c-{uuid.uuid4().hex[:8]}"}
    return str(api.send("POST", "/apps", body, expect=201)["id"])


def deploy_app(composition: Composition) -> dict[str, Any]:
    """Deploy an app as the administrator and return it."""
    api = composition.sign_in()
    add_host(api)
    return api.wait_for_app(begin_app(api), wanted="running", timeout=LIMIT_S, watch=ignore)


def delete_app(api: Api, app_id: str) -> None:
    """Delete an app and wait until it is gone."""
    api.send("DELETE", f"/apps/{app_id}", expect=202)
    api.wait_for_app(app_id, wanted="gone", timeout=LIMIT_S, watch=ignore)
