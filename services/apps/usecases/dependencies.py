"""Dependencies of the use cases, and by whom an operation is requested."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from services.apps.domain.interfaces import AppStore, PlanSteps
from services.apps.domain.quotas import Quotas, Unlimited
from services.clients.auth.interface import Users
from services.clients.backups.interface import Backups
from services.clients.catalog.interface import Catalog
from services.clients.inventory.interface import Containers


def _confirm_nothing(_target: str) -> None:
    """Services have no sign-in that could be too long ago."""


@dataclass(frozen=True, kw_only=True)
class AppDependencies:
    """Stores, clients and settings of the use cases.

    Attributes:
        plan: names the steps of an operation, from its kind and state.
        orphan_grace: for how long a container must have been seen before it may be destroyed as nobody's.
    """

    store: AppStore
    containers: Containers
    catalog: Catalog
    backups: Backups
    users: Users
    plan: PlanSteps
    quotas: Quotas = field(default_factory=Unlimited)
    orphan_grace: timedelta = timedelta(days=1)


@dataclass(frozen=True)
class Requester:
    """Requester of an operation, with the id that it gets.

    Attributes:
        operation_id: the same for every repetition of a request.
        user_id: None where a service acts for no user.
        owner_filter: the user whose apps alone the requester may see; None: every app.
        confirm: refuses a user whose sign-in is too long ago for what cannot be taken back, and writes down what
            was confirmed.
        name_target: names the target of the audit entry, where only the use case knows it; before anything is written.
    """

    operation_id: str
    user_id: int | None
    owner_filter: int | None = None
    confirm: Callable[[str], None] = _confirm_nothing
    name_target: Callable[[str], None] = _confirm_nothing
