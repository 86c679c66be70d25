"""Values that use cases share."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.backups.domain.archive_checks import ArchiveCheckStore
from services.backups.domain.interfaces import BackupStore
from services.backups.domain.policy_store import PolicyStore
from services.backups.domain.restore_test_store import RestoreTestStore
from services.backups.domain.restore_tests import RestoreTestOptions
from services.backups.domain.settings import BackupSettingsStore
from services.backups.domain.storage_store import StorageStore
from services.clients.apps.interface import Apps
from services.clients.auth.interface import Users
from services.clients.inventory.interface import Containers
from services.common.identity.tokens import User


@dataclass(frozen=True)
class BackupDependencies:
    """The stores and the other services that use cases work with."""

    store: BackupStore
    apps: Apps
    containers: Containers
    policies: PolicyStore
    users: Users
    tests: RestoreTestStore
    storages: StorageStore
    checks: ArchiveCheckStore
    settings: BackupSettingsStore
    test_options: RestoreTestOptions = field(default_factory=RestoreTestOptions)


@dataclass(frozen=True)
class BackupRequester:
    """The user of a request, the owner whose backups the user may see (None: every owner's), and the request's id."""

    user: User
    # Users and not roles: what an administrator sees is decided once, by the rule of the RPC.
    owner_id: int | None
    request_id: str


@dataclass(frozen=True)
class NumberedPage:
    """A page of a list: its number from 1, and its size."""

    number: int
    size: int

    @property
    def offset(self) -> int:
        """Number of entries before the page."""
        return (self.number - 1) * self.size


@dataclass(frozen=True)
class BackupPage(NumberedPage):
    """A page of backups; with `after`, what comes behind the backup of that id instead of a number."""

    after: int = 0


@dataclass(frozen=True)
class DeadLetterPage(NumberedPage):
    """A page of operations; with `after`, what comes behind the operation of that id instead of a number."""

    after: str = ""
