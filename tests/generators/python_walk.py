"""The client that openapi-generator makes in Python, on its walk: `python python_walk.py`.

It runs in a process of its own, with the generated package `openapi_client` on its path, and not as part of ours.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator

from openapi_client import (
    ApiClient,
    AppConfigInput,
    AppsApi,
    AppStatus,
    AuthApi,
    BackupsApi,
    Configuration,
    CreateBackupRequest,
    DeployAppRequest,
    LoginRequest,
    RestoreBackupRequest,
)

from tests.e2e.stock.walk import Event, walk

STREAM_S = 240.0  # a loaded machine takes long for a deployment


class GeneratedPlatform:
    """The platform by the generated client."""

    def __init__(self, url: str) -> None:
        self._configuration = Configuration(host=url)
        client = ApiClient(self._configuration)
        self._auth, self._apps, self._backups = AuthApi(client), AppsApi(client), BackupsApi(client)

    def sign_in(self, username: str, password: str) -> None:
        session = self._auth.login(LoginRequest(username=username, password=password))
        self._configuration.access_token = session.access

    def deploy(self, hostname: str) -> str:
        config = AppConfigInput(memory=128)
        return self._apps.deploy_app(
            DeployAppRequest(catalog_id="adminer", hostname=hostname, config=config)
        ).id

    def watch(self, app_id: str, after: str) -> Generator[Event, None, None]:
        answer = self._apps.watch_app_events_without_preload_content(
            app_id, last_event_id=after, _request_timeout=STREAM_S
        )
        fields: dict[str, str] = {}
        text = ""
        for chunk in answer.stream(1):
            text += chunk.decode()
            if not text.endswith("\n"):
                continue
            line, text = text.rstrip("\n"), ""
            name, _, value = line.partition(": ")
            if line:
                fields[name] = value
            elif "data" in fields:
                event = fields.get("event")
                status = AppStatus.model_validate(json.loads(fields["data"])) if event == "status" else None
                yield Event(
                    fields.get("id", ""),
                    status=status.status if status else "",
                    message=(status.message or "") if status else "",
                    is_removal=event == "removed",
                )
                fields = {}

    def back_up(self, app_id: str) -> int:
        return self._backups.create_backup(app_id, create_backup_request=CreateBackupRequest()).id

    def read_backup_status(self, app_id: str, backup_id: int) -> str:
        return self._backups.get_backup(app_id, backup_id).status

    def restore(self, app_id: str, backup_id: int) -> None:
        self._backups.restore_backup(app_id, backup_id, restore_backup_request=RestoreBackupRequest())

    def remove(self, app_id: str) -> None:
        self._apps.delete_app(app_id)


if __name__ == "__main__":
    for step in walk(
        GeneratedPlatform(os.environ["PROXIMITY_URL"]),
        username=os.environ["PROXIMITY_USERNAME"],
        password=os.environ["PROXIMITY_PASSWORD"],
        hostname=os.environ["PROXIMITY_HOSTNAME"],
    ):
        print(step, flush=True)
