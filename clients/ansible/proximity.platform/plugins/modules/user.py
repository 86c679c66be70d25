#!/usr/bin/python
# Copyright: the Proximity authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module for accounts."""

from __future__ import annotations

DOCUMENTATION = r"""
module: user
short_description: Create, promote, deactivate and delete accounts
version_added: 2.0.0
description:
  - Brings an account of a Proximity platform into the described state. It is found by its user name, whatever the case.
  - An API token with the scope C(admin) manages accounts of users; only a password manages administrators.
author: The Proximity authors (@proximity)
extends_documentation_fragment:
  - proximity.platform.connection
attributes:
  check_mode:
    description: Predicts changes and makes none.
    support: full
  diff_mode:
    description: Shows the fields that change.
    support: full
options:
  username:
    description: Name of the account.
    type: str
    required: true
  state:
    description: Whether the account exists.
    type: str
    choices: [present, absent]
    default: present
  password:
    description: Password of a new account. An existing one does not change. Without it a reset link sets the first.
    type: str
  email:
    description: E-mail address. Counts for a new account; afterwards only its user changes it.
    type: str
  first_name:
    description: First name of a new account.
    type: str
  last_name:
    description: Last name of a new account.
    type: str
  is_staff:
    description: Whether the account is an administrator.
    type: bool
  is_active:
    description: Whether the account can sign in.
    type: bool
  quota:
    description: Limits for all apps of the account together. A limit that is not given is the platform's default.
    type: dict
    suboptions:
      apps:
        description: Number of apps.
        type: int
      memory:
        description: Memory in MB.
        type: int
      cores:
        description: Number of CPU cores.
        type: int
      disk:
        description: Disk in GB.
        type: int
  apps_to:
    description: User name that the apps and backups of a deleted account go to. Default is that administrators have them.
    type: str
"""

EXAMPLES = r"""
- name: Create an account
  proximity.platform.user:
    username: dana
    password: "{{ dana_password }}"
    email: dana@example.org
    quota:
      apps: 5
      memory: 8192

- name: Delete the account and pass its apps on
  proximity.platform.user:
    username: dana
    state: absent
    apps_to: admin
"""

RETURN = r"""
user:
  description: The account as C(GET /api/auth/users) shows it.
  returned: unless absent
  type: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.proximity.platform.plugins.module_utils.client import Client, ClientError
from ansible_collections.proximity.platform.plugins.module_utils.module import (
    Result,
    choose,
    compare,
    connection_arguments,
    run,
)

QUOTA = {name: {"type": "int"} for name in ("apps", "memory", "cores", "disk")}
ARGUMENTS = {
    "username": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "password": {"type": "str", "no_log": True},
    "email": {"type": "str"},
    "first_name": {"type": "str"},
    "last_name": {"type": "str"},
    "is_staff": {"type": "bool"},
    "is_active": {"type": "bool"},
    "quota": {"type": "dict", "options": QUOTA},
    "apps_to": {"type": "str"},
}
OF_NEW = ("email", "first_name", "last_name")


def find_user(client: Client, username: str) -> dict[str, Any] | None:
    """Return the account of a user name, whatever the case, or None."""
    for user in client.iterate("/auth/users", "users", search=username):
        if user["username"].casefold() == username.casefold():
            return user
    return None


def apply(module: AnsibleModule, client: Client) -> Result:
    """Bring the account into the described state."""
    result = Result(f"user {module.params['username']}")
    user = find_user(client, module.params["username"])
    if module.params["state"] == "absent":
        if user is not None:
            _delete(module, client, result, user)
        return result
    user = _create(module, client, result) if user is None else _change(module, client, result, user)
    if user is not None:
        result.values["user"] = user
    return result


def _delete(module: AnsibleModule, client: Client, result: Result, user: dict[str, Any]) -> None:
    result.change({name: user.get(name) for name in ("id", "username", "email", "is_staff", "is_active")}, {})
    heir = module.params["apps_to"]
    found = find_user(client, heir) if heir else None
    if heir and found is None:
        raise ClientError(f"apps_to: there is no account {heir}")
    if not module.check_mode:
        query = {"apps_to": found["id"]} if found else {}
        client.request("DELETE", f"/auth/users/{user['id']}", query=query)


def _create(module: AnsibleModule, client: Client, result: Result) -> dict[str, Any] | None:
    body = choose(module.params, "username", "is_staff", *OF_NEW)
    if module.params["quota"] is not None:
        body["quota"] = _read_quota(module)
    wanted_active = module.params["is_active"] is not False
    result.change({}, {**body, "is_active": wanted_active})
    if module.check_mode:
        return None
    user: dict[str, Any] = client.request(
        "POST", "/auth/users", body={**body, **choose(module.params, "password")}
    )
    if not wanted_active:
        user = client.request("PATCH", f"/auth/users/{user['id']}", body={"is_active": False})
    return user


def _read_quota(module: AnsibleModule) -> dict[str, Any]:
    return {name: value for name, value in module.params["quota"].items() if value is not None}


def _change(module: AnsibleModule, client: Client, result: Result, user: dict[str, Any]) -> dict[str, Any]:
    for name in compare(user, choose(module.params, *OF_NEW)):
        module.warn(f"{name} of {user['username']} is {user.get(name, '')!r}; only its user can change it")
    body = compare(user, choose(module.params, "is_staff", "is_active"))
    if module.params["quota"] is not None:
        # An empty quota removes every limit of its own: the platform's default counts for each part.
        body.update(compare(user, {"quota": _read_quota(module)}))
    if not body:
        return user
    result.change({name: user.get(name) for name in body}, body)
    if module.check_mode:
        return user
    changed: dict[str, Any] = client.request("PATCH", f"/auth/users/{user['id']}", body=body)
    return changed


def main() -> None:
    """Run the module."""
    run(AnsibleModule({**connection_arguments(), **ARGUMENTS}, supports_check_mode=True), apply)


if __name__ == "__main__":
    main()
