#!/usr/bin/python
# Copyright: the Proximity authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module for apps."""

from __future__ import annotations

DOCUMENTATION = r"""
module: app
short_description: Deploy, change, start, stop and delete apps
version_added: 2.0.0
description:
  - Brings an app of a Proximity platform into the described state. The app is found by its hostname.
  - Fields that are not given stay as they are.
author: The Proximity authors (@proximity)
extends_documentation_fragment:
  - proximity.platform.connection
  - proximity.platform.connection.wait
attributes:
  check_mode:
    description: Predicts changes and makes none.
    support: full
  diff_mode:
    description: Shows the fields that change; values of secrets as asterisks.
    support: full
options:
  hostname:
    description: Hostname of the app, unique on the platform.
    type: str
    required: true
  state:
    description:
      - V(present) deploys the app if it does not exist, and changes what differs.
      - V(started) and V(stopped) start or stop it besides. V(restarted) restarts it, each time.
      - V(absent) deletes it with its container. A container that was adopted is left alone.
    type: str
    choices: [present, started, stopped, restarted, absent]
    default: present
  catalog_id:
    description: Item of the catalog. Required to deploy the app; cannot change afterwards.
    type: str
  name:
    description: Name to display. Default is the hostname.
    type: str
  memory:
    description: Memory in MB.
    type: int
  cores:
    description: Number of CPU cores.
    type: int
  disk:
    description: Size of the root disk in GB. Disks only grow.
    type: int
  config:
    description:
      - Further settings of the container (C(app.config) of the result has their names), such as C(storage), C(runtime) or C(bridge).
      - They count at deployment only; a difference later is a warning.
    type: dict
    default: {}
  environment:
    description:
      - Values of inputs of the catalog item, and further variables. V(null) removes a value. Others stay.
      - Values that the platform shows as asterisks are compared by revealing them, which its audit log records.
    type: dict
    default: {}
  secrets:
    description: Like O(environment), for values that are never shown, neither by the platform nor by Ansible.
    type: dict
    default: {}
  node:
    description: Node to deploy to. Default is the one with most free memory. Counts at deployment only.
    type: str
  host_id:
    description: Proxmox host to deploy to. Counts at deployment only.
    type: int
  network_cidr:
    description: Static address with prefix length. Default is DHCP. Counts at deployment only.
    type: str
  update:
    description: Update the app to the newest revision of its catalog item.
    type: bool
    default: false
  delete_backups:
    description: Delete the backups with the app, except protected ones. Only for O(state=absent).
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Deploy a wiki and change what differs
  proximity.platform.app:
    url: https://proximity.example.org:8000
    api_token: "{{ proximity_token }}"
    hostname: wiki-01
    catalog_id: wikijs
    memory: 2048
    environment:
      SITE_NAME: Our wiki
    secrets:
      DB_PASSWORD: "{{ wiki_password }}"

- name: Start the deployment and report its progress
  proximity.platform.app:
    hostname: wiki-02
    catalog_id: wikijs
    wait: false
  register: wiki
  until: wiki.app.status == "running"
  retries: 60
  delay: 10

- name: Delete the app and its backups
  proximity.platform.app:
    hostname: wiki-01
    state: absent
    delete_backups: true
"""

RETURN = r"""
app:
  description: The app as C(GET /api/apps/{id}) shows it. Absent if there is none.
  returned: unless absent
  type: dict
progress:
  description: Status of the work with step and percentage, while it goes on.
  returned: if O(wait=false) and work goes on
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.proximity.platform.plugins.module_utils.app_changes import AppTask
from ansible_collections.proximity.platform.plugins.module_utils.client import Client
from ansible_collections.proximity.platform.plugins.module_utils.module import (
    Result,
    connection_arguments,
    run,
    wait_arguments,
)

ARGUMENTS = {
    "hostname": {"type": "str", "required": True},
    "state": {
        "type": "str",
        "choices": ["present", "started", "stopped", "restarted", "absent"],
        "default": "present",
    },
    "catalog_id": {"type": "str"},
    "name": {"type": "str"},
    "memory": {"type": "int"},
    "cores": {"type": "int"},
    "disk": {"type": "int"},
    "config": {"type": "dict", "default": {}},
    "environment": {"type": "dict", "default": {}},
    "secrets": {"type": "dict", "default": {}, "no_log": True},
    "node": {"type": "str"},
    "host_id": {"type": "int"},
    "network_cidr": {"type": "str"},
    "update": {"type": "bool", "default": False},
    "delete_backups": {"type": "bool", "default": False},
}


def apply(module: AnsibleModule, client: Client) -> Result:
    """Bring the app into the described state."""
    return AppTask(module, client).apply()


def main() -> None:
    """Run the module."""
    arguments = {**connection_arguments(), **wait_arguments(900), **ARGUMENTS}
    run(AnsibleModule(arguments, supports_check_mode=True), apply)


if __name__ == "__main__":
    main()
