# Copyright: the Proximity authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Differences between an app and its description, and the calls that remove them."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.proximity.platform.plugins.module_utils.client import Client, ClientError, escape
from ansible_collections.proximity.platform.plugins.module_utils.module import MASK, Result, choose, find_by
from ansible_collections.proximity.platform.plugins.module_utils.waiting import (
    STABLE,
    explain_failure,
    read_progress,
    wait_for_app,
)

_CONFIG_NAMES = {"memory": "memory", "cores": "cores", "disk": "disk_size"}  # PATCH calls disk_size disk
_RESTING = {"started": "running", "stopped": "stopped"}
_ACTIONS = {"started": "start", "stopped": "stop", "restarted": "restart"}


def find_app(client: Client, hostname: str) -> dict[str, Any] | None:
    """Return the app with a hostname as its own page shows it, or None."""
    listed = find_by(client.iterate("/apps", "apps", search=hostname), "hostname", hostname)
    found: dict[str, Any] | None = client.find(f"/apps/{escape(listed['id'])}") if listed else None
    return found


class AppTask:
    """One run of the module `app`.

    Args:
        module: arguments, check mode and warnings.
        client: of the platform.
    """

    def __init__(self, module: AnsibleModule, client: Client) -> None:
        self._module = module
        self._params: Mapping[str, Any] = module.params
        self._client = client
        self._hostname: str = module.params["hostname"]
        self._result = Result(f"app {self._hostname}")
        self._values = {
            **_parse_values(module.params["environment"]),
            **_parse_values(module.params["secrets"]),
        }

    def apply(self) -> Result:
        """Bring the app into the described state."""
        app = self._settle(find_app(self._client, self._hostname))
        if self._params["state"] == "absent":
            self._delete(app)
            return self._result
        app = self._deploy() if app is None else self._change(app)
        if app is not None:
            app = self._act(app)
        self._report(app)
        return self._result

    def _settle(self, app: dict[str, Any] | None) -> dict[str, Any] | None:
        """Wait for work that an earlier task or somebody else began."""
        if app is None or app["status"] in STABLE or not self._params["wait"] or self._module.check_mode:
            return app
        return wait_for_app(self._client, app["id"], self._params["wait_timeout"])

    def _finish(self, app: dict[str, Any]) -> dict[str, Any]:
        """Wait for the work on the app unless that is not wanted, and return the app."""
        if not self._params["wait"]:
            found: dict[str, Any] = self._client.get(f"/apps/{escape(app['id'])}")
            return found
        done = wait_for_app(self._client, app["id"], self._params["wait_timeout"])
        if done is None:
            raise ClientError(f"{self._hostname} was deleted by somebody else meanwhile")
        if done["status"] == "error":
            raise ClientError(f"{self._hostname} is in error: {explain_failure(self._client, done)}")
        return done

    def _delete(self, app: dict[str, Any] | None) -> None:
        if app is None:
            return
        self._result.change(_summarise(app), {})
        if self._module.check_mode:
            return
        if app["status"] != "removing":
            backups = "delete" if self._params["delete_backups"] else None
            self._client.request("DELETE", f"/apps/{escape(app['id'])}", query={"backups": backups})
        if not self._params["wait"]:
            return
        left = wait_for_app(self._client, app["id"], self._params["wait_timeout"])
        if left is not None:
            raise ClientError(
                f"{self._hostname} is {left['status']}, not deleted: {explain_failure(self._client, left)}"
            )

    def _deploy(self) -> dict[str, Any] | None:
        if not self._params["catalog_id"]:
            raise ClientError(
                f"there is no app with hostname {self._hostname}; give catalog_id to deploy one"
            )
        config = {**self._params["config"]}
        config.update({_CONFIG_NAMES[name]: value for name, value in self._resources().items()})
        body = choose(self._params, "catalog_id", "hostname", "name", "node", "host_id", "network_cidr")
        shown = {name: _hide(name, value, self._params["secrets"]) for name, value in self._values.items()}
        self._result.change({}, {**body, "config": config, "environment": shown})
        if self._module.check_mode:
            return None
        given = {name: value for name, value in self._values.items() if value is not None}
        secret = dict.fromkeys(set(self._params["secrets"]) & set(given), True)
        body.update({"config": config, "environment": given, "secret": secret})
        app: dict[str, Any] = self._client.request("POST", "/apps", body=body)
        return self._finish(app)

    def _resources(self) -> dict[str, Any]:
        return choose(self._params, *_CONFIG_NAMES)

    def _change(self, app: dict[str, Any]) -> dict[str, Any]:
        self._require_same_item(app)
        body = self._compare(app)
        # An app at work answers 409; with wait=false a repeated task only reports how far it is.
        if body and not self._module.check_mode and (app["status"] in STABLE or self._params["wait"]):
            self._client.request("PATCH", f"/apps/{escape(app['id'])}", body=body)
            app = self._finish(app)
        if self._params["update"]:
            app = self._update(app)
        return app

    def _require_same_item(self, app: Mapping[str, Any]) -> None:
        wanted = self._params["catalog_id"]
        if wanted and wanted != app["catalog_id"]:
            raise ClientError(
                f"catalog_id: {self._hostname} is {app['catalog_id']}, not {wanted}; delete it first, or use another hostname"
            )
        for name, value in self._params["config"].items():
            if name in app["config"] and str(app["config"][name]) != str(value):
                self._module.warn(
                    f"config.{name} is {app['config'][name]}, not {value}; it counts at deployment only"
                )

    def _compare(self, app: Mapping[str, Any]) -> dict[str, Any]:
        """Return the body of the PATCH that is needed, and record the difference."""
        before: dict[str, Any] = {}
        body: dict[str, Any] = {}
        if self._params["name"] not in (None, app["name"]):
            before["name"], body["name"] = app["name"], self._params["name"]
        for name, value in self._resources().items():
            current = app["config"].get(_CONFIG_NAMES[name])
            if current != value:
                before[name], body[name] = current, value
        after = dict(body)
        current = self._read_values(app)
        changed = {name: value for name, value in self._values.items() if value != current.get(name)}
        if changed:
            hidden = {*app["masked"], *self._params["secrets"]}
            before["environment"] = {name: _hide(name, current.get(name), hidden) for name in changed}
            after["environment"] = {
                name: _hide(name, value, hidden, "(changed)") for name, value in changed.items()
            }
            body["environment"] = changed
        # The platform shows an empty value as it is, also of a secret.
        exposed = [
            name for name in self._params["secrets"] if current.get(name) and name not in app["masked"]
        ]
        if exposed:
            before["secret"], after["secret"] = [], exposed
        flags = {name: True for name in self._params["secrets"] if changed.get(name) or name in exposed}
        if flags:
            body["secret"] = flags
        if body:
            self._result.change(before, after)
        return body

    def _read_values(self, app: Mapping[str, Any]) -> dict[str, str]:
        """Return the values of the app that the task names; masked ones in clear."""
        current = dict(app["environment"])
        masked = [name for name in app["masked"] if self._values.get(name) is not None]
        if masked:
            path = f"/apps/{escape(app['id'])}/secrets/reveal"
            current.update(self._client.request("POST", path, body={"names": masked})["values"])
        return current

    def _update(self, app: dict[str, Any]) -> dict[str, Any]:
        if app["status"] not in STABLE:
            return app
        path = f"/apps/{escape(app['id'])}/update"
        offered = self._client.get(path)
        if not offered["available"]:
            return app
        self._result.change({"revision": offered["current_revision"]}, {"revision": offered["revision"]})
        if self._module.check_mode:
            return app
        self._client.request("POST", path, body={})
        return self._finish(app)

    def _act(self, app: dict[str, Any]) -> dict[str, Any]:
        """Start, stop or restart the app."""
        state = self._params["state"]
        resting = _RESTING.get(state)
        if state == "present" or app["status"] == resting or app["status"] not in STABLE:
            return app
        self._result.change({"status": app["status"]}, {"status": resting or "restarted"})
        if self._module.check_mode:
            return app
        self._client.request("POST", f"/apps/{escape(app['id'])}/action", body={"action": _ACTIONS[state]})
        return self._finish(app)

    def _report(self, app: dict[str, Any] | None) -> None:
        if app is None:
            return
        self._result.values["app"] = app
        if app["status"] not in STABLE:
            self._result.values["progress"] = read_progress(self._client, app["id"])
        if app["status"] == "error":
            reason = explain_failure(self._client, app)
            self._module.warn(f"{self._hostname} is in error: {reason}")


def _summarise(app: Mapping[str, Any]) -> dict[str, Any]:
    return {name: app[name] for name in ("id", "catalog_id", "hostname", "name", "status", "config")}


def _hide(name: str, value: str | None, hidden: Container[str], note: str = "") -> str | None:
    """Return a value for a diff: that of a secret as asterisks."""
    return f"{MASK} {note}".rstrip() if value is not None and name in hidden else value


def _parse_values(values: Mapping[str, Any]) -> dict[str, str | None]:
    """Return values of an environment as text, as YAML's numbers and truth values are meant."""
    return {name: _parse_value(value) for name, value in values.items()}


def _parse_value(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)
