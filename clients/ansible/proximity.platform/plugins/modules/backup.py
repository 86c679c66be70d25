#!/usr/bin/python
# Copyright: the Proximity authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module for backups."""

from __future__ import annotations

DOCUMENTATION = r"""
module: backup
short_description: Create, protect, restore and delete backups of apps
version_added: 2.0.0
description:
  - Brings backups of an app into the described state. Backups are found by O(id), or by O(notes) and O(max_age_hours).
author: The Proximity authors (@proximity)
extends_documentation_fragment:
  - proximity.platform.connection
  - proximity.platform.connection.wait
attributes:
  check_mode:
    description: Predicts changes and makes none.
    support: full
  diff_mode:
    description: Shows the fields that change.
    support: full
options:
  app:
    description: Hostname of the app, or its id. Backups of deleted apps need the id.
    type: str
    required: true
  state:
    description:
      - V(present) makes a backup unless a completed one matches, and sets O(protected).
      - V(restored) restores the newest completed backup that matches, each time. This overwrites the app, unless
        O(new_hostname) is given.
      - V(absent) deletes every backup that matches.
    type: str
    choices: [present, restored, absent]
    default: present
  id:
    description: Id of one backup.
    type: int
  notes:
    description: Notes of the backup. They identify it where O(id) is not given.
    type: str
  max_age_hours:
    description: A backup that is older does not match. Only for O(state=present).
    type: float
  backup_type:
    description: How the container is treated meanwhile. Default is V(snapshot).
    type: str
    choices: [snapshot, suspend, stop]
  compression:
    description: Compression of the archive. Default is V(zstd).
    type: str
    choices: [zstd, gzip, lzo]
  storage:
    description: Storage of Proxmox. Default is the one for backups with most free space.
    type: str
  protected:
    description: Whether the backup is protected. With O(state=absent), V(false) deletes protected backups too.
    type: bool
  new_hostname:
    description: Restore as a new app with this hostname. Nothing changes if there is such an app.
    type: str
  lose_volumes:
    description: Volumes that are in no archive and may be lost by restoring in place.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Back up before the upgrade, unless there is a backup of the last day
  proximity.platform.backup:
    app: wiki-01
    notes: before the upgrade
    max_age_hours: 24

- name: Restore it
  proximity.platform.backup:
    app: wiki-01
    notes: before the upgrade
    state: restored

- name: Delete it
  proximity.platform.backup:
    app: wiki-01
    notes: before the upgrade
    state: absent
"""

RETURN = r"""
backup:
  description: The backup as C(GET /api/backups) shows it.
  returned: for O(state=present) and O(state=restored)
  type: dict
app:
  description: The restored app.
  returned: for O(state=restored)
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.proximity.platform.plugins.module_utils.backup_changes import BackupTask
from ansible_collections.proximity.platform.plugins.module_utils.client import Client
from ansible_collections.proximity.platform.plugins.module_utils.module import (
    Result,
    connection_arguments,
    run,
    wait_arguments,
)

ARGUMENTS = {
    "app": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "restored", "absent"], "default": "present"},
    "id": {"type": "int"},
    "notes": {"type": "str"},
    "max_age_hours": {"type": "float"},
    "backup_type": {"type": "str", "choices": ["snapshot", "suspend", "stop"]},
    "compression": {"type": "str", "choices": ["zstd", "gzip", "lzo"]},
    "storage": {"type": "str"},
    "protected": {"type": "bool"},
    "new_hostname": {"type": "str"},
    "lose_volumes": {"type": "list", "elements": "str", "default": []},
}


def apply(module: AnsibleModule, client: Client) -> Result:
    """Bring the backups into the described state."""
    return BackupTask(module, client).apply()


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        {**connection_arguments(), **wait_arguments(900), **ARGUMENTS},
        supports_check_mode=True,
        required_if=[
            ("state", "present", ("id", "notes", "max_age_hours"), True),
            ("state", "absent", ("id", "notes"), True),
        ],
    )
    run(module, apply)


if __name__ == "__main__":
    main()
