# Copyright: the Proximity authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Inventory of the apps of a platform."""

from __future__ import annotations

DOCUMENTATION = r"""
name: apps
short_description: Apps of a Proximity platform as hosts
version_added: 2.0.0
description:
  - Each app that the account may see is a host, named by its hostname, with the fields of the app as variables
    C(proximity_*). Values of secrets are asterisks.
  - The file of the inventory ends with C(proximity.yml) or C(proximity.yaml).
author: The Proximity authors (@proximity)
extends_documentation_fragment:
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
options:
  plugin:
    description: Name of this plugin.
    type: str
    required: true
    choices: [proximity.platform.apps]
  url:
    description: Address of the platform.
    type: str
    required: true
    env: [{name: PROXIMITY_URL}]
  api_token:
    description: API token with the scope C(read).
    type: str
    env: [{name: PROXIMITY_TOKEN}]
  api_username:
    description: Name of the account to sign in with if there is no O(api_token).
    type: str
    env: [{name: PROXIMITY_USERNAME}]
  api_password:
    description: Password of O(api_username).
    type: str
    env: [{name: PROXIMITY_PASSWORD}]
  ca_file:
    description: File with the certificates to trust, in PEM format.
    type: path
    env: [{name: PROXIMITY_CA_FILE}]
  fingerprint:
    description: SHA-256 fingerprint of the platform's certificate.
    type: str
    env: [{name: PROXIMITY_FINGERPRINT}]
  request_timeout:
    description: Seconds that one request may take.
    type: int
    default: 30
  status:
    description: Only apps with this status.
    type: str
"""

EXAMPLES = r"""
# apps.proximity.yml: running apps in groups by item and node
plugin: proximity.platform.apps
url: https://proximity.example.org:8000
status: running
keyed_groups:
  - key: proximity_catalog_id
    prefix: item
  - key: proximity_node
    prefix: node
groups:
  large: proximity_config.memory >= 4096
compose:
  app_url: proximity_url
"""

from typing import Any

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible_collections.proximity.platform.plugins.module_utils.client import Client, ClientError
from ansible_collections.proximity.platform.plugins.module_utils.module import read_connection

OPTIONS = ("url", "api_token", "api_username", "api_password", "ca_file", "fingerprint", "request_timeout")
GROUP = "proximity"


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """Inventory plugin `proximity.platform.apps`."""

    NAME = "proximity.platform.apps"

    def verify_file(self, path: str) -> bool:
        """Return whether a file is an inventory of this plugin, by its name."""
        return super().verify_file(path) and path.endswith(("proximity.yml", "proximity.yaml"))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:  # noqa: ANN401 - Ansible's signature
        """Fill the inventory with the apps of the platform."""
        super().parse(inventory, loader, path)
        self._read_config_data(path)
        self.load_cache_plugin()
        key = self.get_cache_key(path)
        may_read = cache and self.get_option("cache")
        apps: list[dict[str, Any]] | None = self._cache.get(key) if may_read else None
        if apps is None:
            apps = self._fetch()
        if self.get_option("cache"):
            self._cache[key] = apps
        self.inventory.add_group(GROUP)
        for app in apps:
            self._add(app)

    def _fetch(self) -> list[dict[str, Any]]:
        try:
            client = Client(read_connection({name: self.get_option(name) for name in OPTIONS}))
            try:
                return list(client.iterate("/apps", "apps", status=self.get_option("status")))
            finally:
                client.close()
        except ClientError as error:
            raise AnsibleParserError(f"the apps cannot be read: {error}") from error

    def _add(self, app: dict[str, Any]) -> None:
        host = app["hostname"]
        self.inventory.add_host(host, group=GROUP)
        for name, value in app.items():
            self.inventory.set_variable(host, f"proximity_{name}", value)
        variables = self.inventory.get_host(host).get_vars()
        strict = self.get_option("strict")
        self._set_composite_vars(self.get_option("compose"), variables, host, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), variables, host, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, host, strict=strict)
