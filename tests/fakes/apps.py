"""Apps in memory: what the service apps offers the others, without its database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from services.clients.apps.values import AppHold, AppProbe, NewAppAnswer, ProgressReport, RestoreBesideOrder
from services.common.core.errors import BusyError, DomainError, NotFoundError, UnavailableError
from services.common.identity.tokens import User

APP = AppHold(
    app_id="web-0a1b2c3d",
    name="web",
    status="running",
    host_id=1,
    vmid=9001,
    node="pve1",
    owner_id=7,
    settled_status="running",
)


class FakeAppMissingError(NotFoundError):
    """There is no such app for this user."""


class FakeAppBusyError(BusyError):
    """Another operation locks the app."""


@dataclass
class FakeApps:
    """Apps that operations lock.

    Attributes:
        locks: operation that locks an app, by app.
        standings: of operations of apps, by id.
        refusal: answer of begin_operation and restore_beside.
        is_down: every call is unavailable.
        is_answer_lost: the answer of begin_operation is lost once, after the app was locked.
        failure: answer of finish_operation, once.
        listings: how often all apps were listed.
    """

    apps: dict[str, AppHold] = field(default_factory=lambda: {APP.app_id: APP})
    locks: dict[str, str] = field(default_factory=dict)
    finished: list[tuple[str, bool, str]] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    made_by: dict[str, str] = field(default_factory=dict)
    users: list[User | None] = field(default_factory=list)
    reports: list[ProgressReport] = field(default_factory=list)
    orders: list[RestoreBesideOrder] = field(default_factory=list)
    standings: dict[str, str] = field(default_factory=dict)
    probed: list[str] = field(default_factory=list)
    probe: AppProbe = field(default_factory=lambda: AppProbe(answered=True))
    refusal: DomainError | None = None
    is_down: bool = False
    is_answer_lost: bool = False
    failure: DomainError | None = None
    listings: int = 0

    def _answer(self) -> None:
        if self.is_down:
            raise UnavailableError("apps does not answer")

    async def get_app_hold(self, app_id: str, *, user_id: int | None) -> AppHold:
        self._answer()
        app = self.apps.get(app_id)
        if app is None or user_id not in (None, app.owner_id):
            raise FakeAppMissingError(f"there is no app {app_id!r}")
        locked_by = self.locks.get(app_id, "")
        if app.status in ("running", "stopped"):
            app = replace(app, settled_status=app.status)
        return replace(app, operation_id=locked_by, obstacle=f"{app_id} is busy" if locked_by else "")

    async def list_app_holds(self) -> Sequence[AppHold]:
        self._answer()
        self.listings += 1
        return [self.apps[app_id] for app_id in sorted(self.apps)]

    async def begin_operation(
        self, app_id: str, operation_id: str, *, kind: str, made_by: str = "", user: User | None = None
    ) -> AppHold:
        self.made_by[operation_id] = made_by
        if self.refusal is not None:
            raise self.refusal
        app = await self.get_app_hold(app_id, user_id=None)
        if self.locks.get(app_id, operation_id) != operation_id:
            raise FakeAppBusyError(f"{app_id} is busy")
        self.locks[app_id] = operation_id
        self.standings[operation_id] = "unfinished"
        self.users.append(user)
        if self.is_answer_lost:
            self.is_answer_lost = False
            raise UnavailableError("the answer was lost")
        return replace(app, operation_id=operation_id, obstacle="")

    async def report_operation(self, app_id: str, operation_id: str, *, report: ProgressReport) -> None:
        self._answer()
        self.reports.append(report)

    async def finish_operation(
        self, app_id: str, operation_id: str, *, succeeded: bool, message: str, status: str = ""
    ) -> None:
        self._answer()
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure
        if self.locks.get(app_id) == operation_id:
            del self.locks[app_id]
            self.standings[operation_id] = "succeeded" if succeeded else "failed"
            self.finished.append((operation_id, succeeded, status))
            if status and (app := self.apps.get(app_id)) is not None:
                settled = app.status if app.status in ("running", "stopped") else app.settled_status
                self.apps[app_id] = replace(app, status=status, settled_status=settled)
            self.messages.append(message)

    async def probe_app(self, app_id: str, operation_id: str) -> AppProbe:
        self._answer()
        self.probed.append(app_id)
        return self.probe

    async def restore_beside(self, order: RestoreBesideOrder, *, user: User | None) -> NewAppAnswer:
        self._answer()
        if self.refusal is not None:
            raise self.refusal
        if order.operation_id not in self.standings:
            self.orders.append(order)
            self.users.append(user)
            self.standings[order.operation_id] = "unfinished"
        return NewAppAnswer("web-99999999", f"{order.new_hostname} is made of {order.archive}")

    async def check_restore_beside(self, order: RestoreBesideOrder, *, user: User | None) -> Sequence[str]:
        self._answer()
        return [self.refusal.message] if self.refusal is not None else []

    async def get_operation_standing(self, operation_id: str) -> str:
        self._answer()
        return self.standings.get(operation_id, "unknown")

    async def find_removed_apps(self, app_ids: Sequence[str]) -> Sequence[str]:
        self._answer()
        return [app_id for app_id in app_ids if app_id not in self.apps]
