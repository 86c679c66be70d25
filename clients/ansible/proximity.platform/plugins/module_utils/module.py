# Copyright: the Proximity authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Parts that all modules share: arguments of the connection, comparison, results."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule, env_fallback
from ansible_collections.proximity.platform.plugins.module_utils.client import (
    Client,
    ClientError,
    Connection,
)

MASK = "********"  # as the API shows values that are secret


class Result:
    """Result of a module: what it changes, as a diff, and what it returns.

    Args:
        header: names the object in the diff.
    """

    def __init__(self, header: str) -> None:
        self._header = header
        self._before: dict[str, Any] = {}
        self._after: dict[str, Any] = {}
        self.is_changed = False
        self.values: dict[str, Any] = {}

    def change(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        """Record a change of some fields; an object that is created or removed has {} on the other side."""
        self.is_changed = True
        self._before.update(before)
        self._after.update(after)

    def render(self) -> dict[str, Any]:
        """Return what `exit_json` takes."""
        diff = {
            "before_header": self._header,
            "after_header": self._header,
            "before": _format(self._before),
            "after": _format(self._after),
        }
        return {"changed": self.is_changed, "diff": diff, **self.values}


def _format(values: Mapping[str, Any]) -> str:
    return json.dumps(values, indent=2, sort_keys=True) + "\n" if values else ""


def connection_arguments() -> dict[str, dict[str, Any]]:
    """Return the argument specification of the connection, for modules."""
    return {
        "url": {"type": "str", "required": True, "fallback": (env_fallback, ["PROXIMITY_URL"])},
        "api_token": {"type": "str", "no_log": True, "fallback": (env_fallback, ["PROXIMITY_TOKEN"])},
        "api_username": {"type": "str", "fallback": (env_fallback, ["PROXIMITY_USERNAME"])},
        "api_password": {"type": "str", "no_log": True, "fallback": (env_fallback, ["PROXIMITY_PASSWORD"])},
        "ca_file": {"type": "path", "fallback": (env_fallback, ["PROXIMITY_CA_FILE"])},
        "fingerprint": {"type": "str", "fallback": (env_fallback, ["PROXIMITY_FINGERPRINT"])},
        "request_timeout": {"type": "int", "default": 30},
    }


def wait_arguments(timeout: int) -> dict[str, dict[str, Any]]:
    """Return the argument specification of waiting, for modules that start work."""
    return {
        "wait": {"type": "bool", "default": True},
        "wait_timeout": {"type": "int", "default": timeout},
    }


def read_connection(params: Mapping[str, Any]) -> Connection:
    """Return the connection that arguments name.

    Raises:
        ClientError: there are no credentials.
    """
    token, username = params.get("api_token"), params.get("api_username")
    if not token and not (username and params.get("api_password")):
        raise ClientError(
            "no credentials: give api_token (or PROXIMITY_TOKEN), or api_username and api_password"
        )
    return Connection(
        url=params["url"],
        api_token=token,
        username=None if token else username,
        password=None if token else params["api_password"],
        ca_file=params.get("ca_file"),
        fingerprint=params.get("fingerprint"),
        request_timeout=params["request_timeout"],
    )


def run(module: AnsibleModule, apply: Callable[[AnsibleModule, Client], Result]) -> None:
    """Run a module with a client and end it with its result, or with the reason of the failure."""
    client: Client | None = None
    try:
        client = Client(read_connection(module.params))
        if client.is_exposed:
            module.warn(f"{module.params['url']} is not encrypted: the credentials can be read on the way")
        result = apply(module, client)
    except ClientError as error:
        module.fail_json(
            msg=str(error), code=getattr(error, "code", ""), details=getattr(error, "details", [])
        )
        return
    finally:
        if client is not None:
            client.close()
    module.exit_json(**result.render())


def find_by(objects: Any, key: str, value: str) -> dict[str, Any] | None:  # noqa: ANN401 - any iterable of JSON
    """Return the first object whose `key` is `value`, or None."""
    return next((each for each in objects if each.get(key) == value), None)


def choose(params: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return the named arguments that have a value."""
    return {name: params[name] for name in names if params[name] is not None}


def compare(current: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the wanted fields that differ from the current ones; a missing field equals an empty one."""
    return {name: value for name, value in wanted.items() if (current.get(name) or None) != (value or None)}
