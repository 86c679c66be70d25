"""The client that openapi-python-client makes of the document, on its walk: `python rest_python.py`.

It runs in a process of its own, with the generated package `proximity_rest` on its path, and not as part of ours.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from typing import TypeVar

from proximity_rest import AuthenticatedClient, Client
from proximity_rest.api.apps import delete_app, deploy_app
from proximity_rest.api.auth import login
from proximity_rest.api.backups import create_backup, get_backup, restore_backup
from proximity_rest.models import (
    App,
    Backup,
    CreateBackupRequest,
    CreateBackupResponse,
    DeleteAppResponse,
    DeployAppRequest,
    LoginRequest,
    RestoreBackupRequest,
    RestoreBackupResponse,
    Session,
)

from tests.e2e.stock.walk import Event, walk

T = TypeVar("T")


def expect(answer: object, kind: type[T]) -> T:
    """Return the answer; generated calls give errors as values."""
    assert isinstance(answer, kind), answer
    return answer


class RestPlatform:
    """The platform by the generated client, which leaves streams to its httpx client."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: AuthenticatedClient | None = None

    @property
    def client(self) -> AuthenticatedClient:
        assert self._client is not None
        return self._client

    def sign_in(self, username: str, password: str) -> None:
        body = LoginRequest(username=username, password=password)
        session = expect(login.sync(client=Client(self._url), body=body), Session)
        self._client = AuthenticatedClient(self._url, session.access)

    def deploy(self, hostname: str) -> str:
        body = DeployAppRequest(catalog_id="adminer", hostname=hostname)
        return expect(deploy_app.sync(client=self.client, body=body), App).id

    def watch(self, app_id: str, after: str) -> Generator[Event, None, None]:
        headers = {"Last-Event-ID": after}
        path = f"/api/apps/{app_id}/events"
        with self.client.get_httpx_client().stream("GET", path, headers=headers, timeout=240) as answer:
            assert answer.status_code == 200, answer.read()
            fields: dict[str, str] = {}
            for line in answer.iter_lines():
                name, _, value = line.partition(": ")
                if line:
                    fields[name] = value
                elif "data" in fields:
                    data = json.loads(fields["data"])
                    is_status = fields["event"] == "status"
                    yield Event(
                        fields.get("id", ""),
                        status=data["status"] if is_status else "",
                        message=data.get("message", ""),
                        is_removal=fields["event"] == "removed",
                    )
                    fields = {}

    def back_up(self, app_id: str) -> int:
        made = create_backup.sync(app_id, client=self.client, body=CreateBackupRequest())
        return expect(made, CreateBackupResponse).id

    def read_backup_status(self, app_id: str, backup_id: int) -> str:
        return expect(get_backup.sync(app_id, backup_id, client=self.client), Backup).status

    def restore(self, app_id: str, backup_id: int) -> None:
        begun = restore_backup.sync(app_id, backup_id, client=self.client, body=RestoreBackupRequest())
        expect(begun, RestoreBackupResponse)

    def remove(self, app_id: str) -> None:
        expect(delete_app.sync(app_id, client=self.client), DeleteAppResponse)


if __name__ == "__main__":
    for step in walk(
        RestPlatform(os.environ["PROXIMITY_URL"]),
        username=os.environ["PROXIMITY_USERNAME"],
        password=os.environ["PROXIMITY_PASSWORD"],
        hostname=os.environ["PROXIMITY_HOSTNAME"],
    ):
        print(step, flush=True)
