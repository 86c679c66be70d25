# Copyright: the Proximity authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Backups of an app that match a description, and the calls that make, restore and delete them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.proximity.platform.plugins.module_utils.app_changes import find_app
from ansible_collections.proximity.platform.plugins.module_utils.client import Client, ClientError, escape
from ansible_collections.proximity.platform.plugins.module_utils.module import Result, choose
from ansible_collections.proximity.platform.plugins.module_utils.waiting import (
    explain_failure,
    poll,
    wait_for_app,
)

_SHOWN = ("id", "notes", "protected", "backup_type", "compression", "storage_name")
_USABLE = ("completed", "creating")


class BackupTask:
    """One run of the module `backup`.

    Args:
        module: arguments and check mode.
        client: of the platform.
    """

    def __init__(self, module: AnsibleModule, client: Client) -> None:
        self._module = module
        self._params: Mapping[str, Any] = module.params
        self._client = client
        self._result = Result(f"backup of {module.params['app']}")
        # The id is taken as it is where no app has this hostname: backups outlive their app.
        app = find_app(client, module.params["app"])
        self._app_id: str = app["id"] if app else module.params["app"]
        self._path = f"/apps/{escape(self._app_id)}/backups"

    def apply(self) -> Result:
        """Bring the backups into the described state."""
        matching = self._list_matching()
        if self._params["state"] == "absent":
            for backup in matching:
                self._delete(backup)
        elif self._params["state"] == "restored":
            self._restore(matching)
        else:
            self._ensure(matching)
        return self._result

    def _list_matching(self) -> list[dict[str, Any]]:
        """Return the backups that the task names, newest first; none for an app that never was."""
        found = self._client.iterate("/backups", "backups", app_id=self._app_id)
        wanted = choose(self._params, "id", "notes")
        if "id" in wanted and self._params["state"] == "present":
            wanted.pop("notes", None)  # new notes of the backup with this id
        return [each for each in found if all(each[name] == value for name, value in wanted.items())]

    def _ensure(self, matching: list[dict[str, Any]]) -> None:
        usable = [each for each in matching if each["status"] in _USABLE and self._is_young(each)]
        if self._params["id"] is not None and not usable:
            raise ClientError(f"id: {self._params['app']} has no usable backup {self._params['id']}")
        backup = usable[0] if usable else self._create()
        if backup is None:
            return
        if self._params["wait"] and not self._module.check_mode:
            backup = self._wait(backup["id"])
        self._result.values["backup"] = self._set_fields(backup)

    def _is_young(self, backup: Mapping[str, Any]) -> bool:
        limit = self._params["max_age_hours"]
        if limit is None:
            return True
        made = datetime.fromisoformat(backup["created_at"].replace("Z", "+00:00"))
        return datetime.now(timezone.utc) - made <= timedelta(hours=limit)

    def _create(self) -> dict[str, Any] | None:
        body = choose(self._params, "backup_type", "compression", "storage", "notes")
        self._result.change({}, {**body, **choose(self._params, "protected")})
        if self._module.check_mode:
            return None
        created = self._client.request("POST", self._path, body=body)
        found: dict[str, Any] = self._client.get(f"{self._path}/{created['id']}")
        return found

    def _wait(self, backup_id: int) -> dict[str, Any]:
        backup: dict[str, Any] = poll(
            lambda: self._client.get(f"{self._path}/{backup_id}"),
            lambda found: found["status"] not in ("creating", "restoring"),
            timeout=self._params["wait_timeout"],
            describe=lambda found: f"backup {backup_id} is {found['status']} at {found.get('progress', 0)} %",
        )
        if backup["status"] != "completed":
            reason = backup.get("error_message") or "no reason given"
            raise ClientError(f"backup {backup_id} of {self._params['app']} is {backup['status']}: {reason}")
        # The app is free for the next task only when its own operation has ended as well.
        wait_for_app(self._client, self._app_id, self._params["wait_timeout"])
        return backup

    def _set_fields(self, backup: dict[str, Any]) -> dict[str, Any]:
        wanted = choose(self._params, "protected")
        if self._params["id"] is not None:
            wanted.update(choose(self._params, "notes"))
        body = {name: value for name, value in wanted.items() if backup[name] != value}
        if not body:
            return backup
        if not self._result.is_changed:
            self._result.change({name: backup[name] for name in body}, body)
        if self._module.check_mode:
            return backup
        changed: dict[str, Any] = self._client.request("PATCH", f"{self._path}/{backup['id']}", body=body)
        return changed

    def _restore(self, matching: list[dict[str, Any]]) -> None:
        completed = [each for each in matching if each["status"] == "completed"]
        if not completed:
            raise ClientError(f"{self._params['app']} has no completed backup that matches")
        backup, hostname = completed[0], self._params["new_hostname"]
        self._result.values["backup"] = backup
        existing = find_app(self._client, hostname) if hostname else None
        if existing is not None:
            self._result.values["app"] = existing
            return
        self._result.change({}, {"restored_from": backup["id"], "hostname": hostname or self._params["app"]})
        if self._module.check_mode:
            return
        body = choose(self._params, "new_hostname")
        if self._params["lose_volumes"]:
            body["lose_volumes"] = self._params["lose_volumes"]
        answer = self._client.request("POST", f"{self._path}/{backup['id']}/restore", body=body)
        if self._params["wait"]:
            restored = hostname and find_app(self._client, hostname)
            self._finish_restore(backup["id"], restored["id"] if restored else answer["application_id"])

    def _finish_restore(self, backup_id: int, app_id: str) -> None:
        self._result.values["backup"] = self._wait(backup_id)
        app = wait_for_app(self._client, app_id, self._params["wait_timeout"])
        if app is None or app["status"] == "error":
            reason = explain_failure(self._client, app) if app else "it was deleted meanwhile"
            raise ClientError(f"{app_id} is not restored from backup {backup_id}: {reason}")
        self._result.values["app"] = app

    def _delete(self, backup: dict[str, Any]) -> None:
        before = {f"backup {backup['id']}": {name: backup.get(name) for name in _SHOWN}}
        self._result.change(before, {})
        if self._module.check_mode:
            return
        path = f"{self._path}/{backup['id']}"
        if backup["protected"] and self._params["protected"] is False:
            self._client.request("PATCH", path, body={"protected": False})
        if backup["status"] != "deleting":
            self._client.request("DELETE", path)
        if self._params["wait"]:
            poll(
                lambda: self._client.find(path),
                lambda found: found is None or found["status"] != "deleting",
                timeout=self._params["wait_timeout"],
                describe=lambda found: f"backup {backup['id']} is {found['status']}",
            )
