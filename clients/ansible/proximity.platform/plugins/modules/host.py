#!/usr/bin/python
# Copyright: the Proximity authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module for Proxmox hosts."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host
short_description: Add, change and remove Proxmox hosts
version_added: 2.0.0
description:
  - Brings a Proxmox host of a Proximity platform into the described state. It is found by its name.
  - Needs the rights of an administrator. The platform checks the credentials when it connects, not when it stores them.
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
  name:
    description: Name of the host, unique on the platform.
    type: str
    required: true
  state:
    description: Whether the host is known to the platform. V(absent) is refused while apps live there.
    type: str
    choices: [present, absent]
    default: present
  host:
    description: Name or address of the Proxmox API, without scheme and port. Required to add the host.
    type: str
  port:
    description: Port of the Proxmox API. Default of a new host is 8006.
    type: int
  user:
    description: User with realm. Default of a new host is V(root@pam).
    type: str
  password:
    description: Password of O(user).
    type: str
  token_id:
    description: Id of an API token of Proxmox, instead of a password.
    type: str
  token_secret:
    description: Secret of O(token_id).
    type: str
  ssh_port:
    description: Port of the SSH server of the nodes. Default of a new host is 22.
    type: int
  ssh_key:
    description: Private key in OpenSSH format for root on the nodes.
    type: str
  ssh_addresses:
    description: Addresses of the SSH servers by node, where those that the cluster names lead nowhere.
    type: dict
  verify_ssl:
    description: Whether the certificate of Proxmox is verified. Default of a new host is V(true).
    type: bool
  host_fingerprint:
    description: SHA-256 fingerprint of Proxmox's certificate to pin. An empty text removes the pin.
    type: str
  is_default:
    description: Whether new apps go there if nothing else is chosen.
    type: bool
  is_active:
    description: Whether the platform uses the host.
    type: bool
  update_credentials:
    description:
      - V(on_change) sends O(password), O(token_secret) and O(ssh_key) for a new host, and when its destination changes, as the
        platform requires then.
      - V(always) sends them each time. Nobody can read them, so each time counts as a change.
    type: str
    choices: [on_change, always]
    default: on_change
  sync:
    description: Read the nodes of the host after it was added or changed.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Add a Proxmox host
  proximity.platform.host:
    name: homelab
    host: 192.0.2.10
    token_id: root@pam!proximity
    token_secret: "{{ proxmox_secret }}"
    host_fingerprint: "{{ proxmox_fingerprint }}"
    is_default: true
    sync: true

- name: Remove it
  proximity.platform.host:
    name: homelab
    state: absent
"""

RETURN = r"""
proxmox_host:
  description: The host as C(GET /api/proxmox/hosts) shows it, without secrets.
  returned: unless absent
  type: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.proximity.platform.plugins.module_utils.client import Client, ClientError
from ansible_collections.proximity.platform.plugins.module_utils.module import (
    MASK,
    Result,
    choose,
    connection_arguments,
    find_by,
    run,
)

ARGUMENTS = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "host": {"type": "str"},
    "port": {"type": "int"},
    "user": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "token_id": {"type": "str"},
    "token_secret": {"type": "str", "no_log": True},
    "ssh_port": {"type": "int"},
    "ssh_key": {"type": "str", "no_log": True},
    "ssh_addresses": {"type": "dict"},
    "verify_ssl": {"type": "bool"},
    "host_fingerprint": {"type": "str"},
    "is_default": {"type": "bool"},
    "is_active": {"type": "bool"},
    "update_credentials": {
        "type": "str",
        "choices": ["on_change", "always"],
        "default": "on_change",
        "no_log": False,
    },
    "sync": {"type": "bool", "default": False},
}
SECRETS = ("password", "token_secret", "ssh_key")
# A change of these makes the platform ask for the secrets again: it sends them only where they were meant to go.
DESTINATION = {"host", "port", "ssh_port", "verify_ssl", "fingerprint", "ssh_addresses"}
FIELDS = ("host", "port", "user", "token_id", "ssh_port", "ssh_addresses", "verify_ssl", "is_default")


def apply(module: AnsibleModule, client: Client) -> Result:
    """Bring the host into the described state."""
    params = module.params
    result = Result(f"host {params['name']}")
    host = find_by(client.get("/proxmox/hosts"), "name", params["name"])
    if params["state"] == "absent":
        if host is not None:
            result.change({name: host.get(name) for name in ("id", "name", "host", "port")}, {})
            if not module.check_mode:
                client.request("DELETE", f"/proxmox/hosts/{host['id']}")
        return result
    host = _add(module, client, result) if host is None else _change(module, client, result, host)
    if host is not None:
        if result.is_changed and params["sync"] and not module.check_mode:
            client.request("POST", f"/proxmox/hosts/{host['id']}/sync-nodes", body={})
            host = client.get(f"/proxmox/hosts/{host['id']}")
        result.values["proxmox_host"] = host
    return result


def _read_fields(module: AnsibleModule) -> dict[str, Any]:
    fields = choose(module.params, *FIELDS)
    if module.params["host_fingerprint"] is not None:
        fields["fingerprint"] = module.params["host_fingerprint"]
    return fields


def _add(module: AnsibleModule, client: Client, result: Result) -> dict[str, Any] | None:
    if not module.params["host"]:
        raise ClientError(f"there is no host {module.params['name']}; give host and credentials to add it")
    body = {"name": module.params["name"], **_read_fields(module)}
    if not body.get("fingerprint"):
        body.pop("fingerprint", None)
    secrets = choose(module.params, *SECRETS)
    result.change({}, {**body, **dict.fromkeys(secrets, MASK)})
    if module.check_mode:
        return None
    host: dict[str, Any] = client.request("POST", "/proxmox/hosts", body={**body, **secrets})
    if module.params["is_active"] is False:
        host = client.request("PUT", f"/proxmox/hosts/{host['id']}", body={"is_active": False})
    return host


def _change(module: AnsibleModule, client: Client, result: Result, host: dict[str, Any]) -> dict[str, Any]:
    wanted = {**_read_fields(module), **choose(module.params, "is_active")}
    body = {
        name: value
        for name, value in wanted.items()
        if _normalise(name, value) != _normalise(name, host.get(name))
    }
    before: dict[str, Any] = {name: host.get(name) for name in body}
    after = dict(body)
    always = module.params["update_credentials"] == "always"
    if always or body.keys() & (DESTINATION | {"user", "token_id"}):
        secrets = choose(module.params, *SECRETS)
        body.update(secrets)
        before.update(dict.fromkeys(secrets, MASK))
        after.update(dict.fromkeys(secrets, f"{MASK} (sent again)"))
    if not body:
        return host
    result.change(before, after)
    if module.check_mode:
        return host
    changed: dict[str, Any] = client.request("PUT", f"/proxmox/hosts/{host['id']}", body=body)
    return changed


def _normalise(name: str, value: object) -> object:
    """Return a value as it is compared: fingerprints without colons, names of tokens without their user."""
    if name == "fingerprint":
        return str(value or "").replace(":", "").lower()
    if name == "token_id":
        return str(value or "").rsplit("!", 1)[-1]
    return value or None


def main() -> None:
    """Run the module."""
    arguments = {**connection_arguments(), **ARGUMENTS}
    module = AnsibleModule(
        arguments,
        supports_check_mode=True,
        required_together=[("token_id", "token_secret")],
        mutually_exclusive=[("password", "token_id")],
    )
    run(module, apply)


if __name__ == "__main__":
    main()
