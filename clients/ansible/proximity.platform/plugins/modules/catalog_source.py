#!/usr/bin/python
# Copyright: the Proximity authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module for sources of the catalog."""

from __future__ import annotations

DOCUMENTATION = r"""
module: catalog_source
short_description: Add, refresh and remove sources of the catalog
version_added: 2.0.0
description:
  - Brings a source of items into the described state. It is found by its name.
  - A source with another location or format is another source, so it is removed and added again; apps made from its items go
    on.
  - Needs the rights of an administrator.
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
  name:
    description: Name of the source, unique on the platform.
    type: str
    required: true
  state:
    description: V(refreshed) fetches the source also if it did not change, each time.
    type: str
    choices: [present, refreshed, absent]
    default: present
  location:
    description: Address or folder of the collection. Required to add the source.
    type: str
  format:
    description: Format of the collection. Required to add the source.
    type: str
    choices: [native, portainer, casaos, runtipi, umbrel, coolify, dokploy, compose]
  refresh_hours:
    description: Hours between two fetches, V(0) for none. Default of a new source is 24.
    type: int
  allow_host_needs:
    description: Whether items of the source may have the devices and capabilities of the node that they need.
    type: bool
"""

EXAMPLES = r"""
- name: Add a collection and wait until its items are published
  proximity.platform.catalog_source:
    name: portainer
    location: https://templates.example.org/templates-3.0.0.json
    format: portainer

- name: Fetch it again now
  proximity.platform.catalog_source:
    name: portainer
    state: refreshed
"""

RETURN = r"""
source:
  description: The source as C(GET /api/catalog/sources) shows it.
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
    find_by,
    run,
    wait_arguments,
)
from ansible_collections.proximity.platform.plugins.module_utils.waiting import poll

FORMATS = ["native", "portainer", "casaos", "runtipi", "umbrel", "coolify", "dokploy", "compose"]
ARGUMENTS = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "refreshed", "absent"], "default": "present"},
    "location": {"type": "str"},
    "format": {"type": "str", "choices": FORMATS},
    "refresh_hours": {"type": "int"},
    "allow_host_needs": {"type": "bool"},
}
IDENTITY = ("location", "format")  # the items are known by them, so the platform does not change them
FIELDS = (*IDENTITY, "refresh_hours", "allow_host_needs")


def find_source(client: Client, name: str) -> dict[str, Any] | None:
    """Return the source with a name, or None."""
    return find_by(client.get("/catalog/sources")["sources"], "name", name)


def apply(module: AnsibleModule, client: Client) -> Result:
    """Bring the source into the described state."""
    name, state = module.params["name"], module.params["state"]
    result = Result(f"catalog_source {name}")
    source = find_source(client, name)
    if state == "absent":
        if source is not None:
            result.change(_show(source), {})
            if not module.check_mode:
                client.request("DELETE", f"/catalog/sources/{source['id']}")
        return result
    wanted = choose(module.params, *FIELDS)
    changes = compare(source, wanted) if source else {}
    if source is None or changes.keys() & set(IDENTITY):
        source = _replace(module, client, result, source)
    elif changes:
        result.change({key: source.get(key) for key in changes}, changes)
        if not module.check_mode:
            client.request("PATCH", f"/catalog/sources/{source['id']}", body=changes)
    if source is not None and state == "refreshed" and not result.is_changed:
        result.change({"last_fetched_at": source.get("last_fetched_at", "")}, {"last_fetched_at": "now"})
        if not module.check_mode:
            client.request("POST", f"/catalog/sources/{source['id']}/refresh", body={})
    if source is not None:
        result.values["source"] = source if module.check_mode else _wait(module, client)
    return result


def _show(source: dict[str, Any]) -> dict[str, Any]:
    return {name: source.get(name) for name in ("name", *FIELDS)}


def _replace(
    module: AnsibleModule, client: Client, result: Result, source: dict[str, Any] | None
) -> dict[str, Any] | None:
    """Add the source in place of the one that is there; what is not given stays as it is."""
    former = {name: value for name, value in _show(source).items() if value is not None} if source else {}
    body = {**former, **choose(module.params, "name", *FIELDS)}
    missing = [name for name in ("location", "format") if not body.get(name)]
    if missing:
        raise ClientError(f"there is no source {body['name']}; give {' and '.join(missing)} to add it")
    result.change(former, body)
    if module.check_mode:
        return source
    if source:
        client.request("DELETE", f"/catalog/sources/{source['id']}")
    is_allowed = body.pop("allow_host_needs", False)  # only of a source that exists
    created: dict[str, Any] = client.request("POST", "/catalog/sources", body=body)
    if is_allowed:
        client.request("PATCH", f"/catalog/sources/{created['id']}", body={"allow_host_needs": True})
    return created


def _wait(module: AnsibleModule, client: Client) -> dict[str, Any]:
    """Wait until the source is published, unless that is not wanted."""
    name, timeout = module.params["name"], module.params["wait_timeout"]
    source: dict[str, Any] | None = (
        poll(
            lambda: find_source(client, name),
            lambda found: found is None or found["status"] in ("published", "failed"),
            timeout=timeout,
            describe=lambda found: f"{name} is {found['status']}",
        )
        if module.params["wait"]
        else find_source(client, name)
    )
    if source is None:
        raise ClientError(f"{name} was removed by somebody else meanwhile")
    if source["status"] == "failed":
        raise ClientError(f"{name} cannot be published: {source.get('error') or 'no reason given'}")
    return source


def main() -> None:
    """Run the module."""
    arguments = {**connection_arguments(), **wait_arguments(900), **ARGUMENTS}
    run(AnsibleModule(arguments, supports_check_mode=True), apply)


if __name__ == "__main__":
    main()
