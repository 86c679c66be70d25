#!/usr/bin/python
# Copyright: the Proximity authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module for API tokens."""

from __future__ import annotations

DOCUMENTATION = r"""
module: token
short_description: Create, replace and delete API tokens of one's own account
version_added: 2.0.0
description:
  - Brings an API token of the account that signs in into the described state. It is found by its name.
  - A token with other scopes than wanted, or one that ends soon, is replaced. Its value is shown only then.
author: The Proximity authors (@proximity)
extends_documentation_fragment:
  - proximity.platform.connection
attributes:
  check_mode:
    description: Predicts changes and makes none.
    support: full
  diff_mode:
    description: Shows the fields that change, and never the token.
    support: full
options:
  name:
    description: Name of the token, unique for the account.
    type: str
    required: true
  state:
    description: Whether the token exists.
    type: str
    choices: [present, absent]
    default: present
  scopes:
    description: What the token allows. Every token may read.
    type: list
    elements: str
    choices: [read, write, admin]
    default: [read]
  valid_days:
    description: Days until a new token ends, at most 730.
    type: int
    default: 90
  renew_days:
    description: Replace the token once it ends within so many days.
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: Create a token for the deployments and replace it a week before it ends
  proximity.platform.token:
    api_username: deployer
    api_password: "{{ deployer_password }}"
    name: ansible
    scopes: [write]
    renew_days: 7
  register: created
  no_log: true

- name: Store a new token
  ansible.builtin.copy:
    content: "{{ created.token.token }}"
    dest: /etc/deployer/token
    mode: "0600"
  when: created is changed
"""

RETURN = r"""
token:
  description: The token; C(token.token) is its value, only if the task created it. Use C(no_log) with the task.
  returned: unless absent
  type: dict
"""

from datetime import datetime, timedelta, timezone
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.proximity.platform.plugins.module_utils.client import Client
from ansible_collections.proximity.platform.plugins.module_utils.module import (
    Result,
    connection_arguments,
    find_by,
    run,
)

SCOPES = ["read", "write", "admin"]
ARGUMENTS = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "scopes": {"type": "list", "elements": "str", "choices": SCOPES, "default": ["read"]},
    "valid_days": {"type": "int", "default": 90},
    "renew_days": {"type": "int", "default": 0},
}
SHOWN = ("name", "scopes", "expires_at")


def ends_soon(token: dict[str, Any], days: int, now: datetime) -> bool:
    """Return whether a token has ended, or ends within some days."""
    ends = token.get("expires_at")
    if not ends:
        return False
    return datetime.fromisoformat(ends.replace("Z", "+00:00")) <= now + timedelta(days=days)


def apply(module: AnsibleModule, client: Client) -> Result:
    """Bring the token into the described state."""
    params = module.params
    result = Result(f"token {params['name']}")
    now = datetime.now(timezone.utc)
    token = find_by(client.get("/auth/tokens")["tokens"], "name", params["name"])
    if params["state"] == "absent":
        if token is not None:
            result.change(_show(token), {})
            if not module.check_mode:
                client.request("DELETE", f"/auth/tokens/{token['id']}")
        return result
    wanted = sorted({*params["scopes"]}, key=SCOPES.index)
    if token and set(token["scopes"]) == set(wanted) and not ends_soon(token, params["renew_days"], now):
        result.values["token"] = token
        return result
    expires = (now + timedelta(days=params["valid_days"])).strftime("%Y-%m-%dT%H:%M:%SZ")
    body = {"name": params["name"], "scopes": wanted, "expires_at": expires}
    result.change(_show(token) if token else {}, body)
    if module.check_mode:
        return result
    if token:  # names are unique, so the former one has to go first
        client.request("DELETE", f"/auth/tokens/{token['id']}")
    result.values["token"] = client.request("POST", "/auth/tokens", body=body)
    return result


def _show(token: dict[str, Any]) -> dict[str, Any]:
    return {name: token.get(name) for name in SHOWN}


def main() -> None:
    """Run the module."""
    run(AnsibleModule({**connection_arguments(), **ARGUMENTS}, supports_check_mode=True), apply)


if __name__ == "__main__":
    main()
