"""Every exchange between a user and the platform, written down as it happens."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.common.rpc.interceptors.idempotency import request_id_of

METHODS = {
    "deploy": "/proximity.apps.v1.AppsService/DeployApp",
    "clone": "/proximity.apps.v1.AppsService/CloneApp",
    "adopt": "/proximity.apps.v1.AppsService/AdoptContainer",
    "back_up": "/proximity.backups.v1.BackupsService/CreateBackup",
    "restore": "/proximity.backups.v1.BackupsService/RestoreBackup",
    "restore_beside": "/proximity.backups.v1.BackupsService/RestoreBackup",
}


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One request and its answer.

    Attributes:
        user_id: who asked; `is_admin` whether that is an administrator.
        action: one of `choices.ACTIONS`; a repetition keeps the first one's.
        subject: the app it is about; empty for new ones.
        key: the Idempotency-Key; empty without one.
        sent, answered: epoch seconds.
        status: of HTTP; 0 when no answer came.
    """

    user_id: int
    is_admin: bool = False
    action: str
    subject: str = ""
    method: str
    path: str
    body: dict[str, Any] = field(default_factory=dict)
    key: str = ""
    sent: float
    answered: float
    status: int
    answer: Any = field(default_factory=dict)

    @property
    def is_accepted(self) -> bool:
        """Whether it was done or will be."""
        return 200 <= self.status < 300

    @property
    def is_refused(self) -> bool:
        """Whether nothing may come of it; without an answer, or with a 5xx, something may."""
        return 400 <= self.status < 500

    @property
    def operation_id(self) -> str:
        """The id of the operation that was asked for with a key; empty without one."""
        if not self.key or self.action not in METHODS:
            return ""
        who = f"user {self.user_id} as administrator" if self.is_admin else f"user {self.user_id}"
        return request_id_of(who, METHODS[self.action], key=self.key)


class History:
    """The exchanges in the order of their answers, also in a file of JSON lines."""

    def __init__(self, file: Path) -> None:
        self.exchanges: list[Exchange] = []
        self._file = file.open("a", encoding="utf-8")

    def add(self, exchange: Exchange) -> Exchange:
        """Write an exchange down."""
        self.exchanges.append(exchange)
        self._file.write(json.dumps(dataclasses.asdict(exchange)) + "\n")
        self._file.flush()
        return exchange

    def __iter__(self) -> Iterator[Exchange]:
        return iter(self.exchanges)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
