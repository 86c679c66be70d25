"""Apps and containers in memory, as the workflows see them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace

from services.backups.domain.entities import (
    AppFacts,
    AppProbe,
    Archive,
    BackupOrder,
    BesideOrder,
    BesideStarted,
    Place,
    ProgressReport,
    Task,
    TaskUpdate,
    UnarchivedVolume,
)
from services.backups.domain.errors import AppBusyError
from services.common.core.errors import (
    BusyError,
    DomainError,
    NotFoundError,
    PreconditionError,
    UnavailableError,
)

APP = AppFacts(
    app_id="web-0a1b2c3d", name="web", status="running", host_id=1, vmid=9001, node="pve1", owner_id=7
)


class FakeAppGoneError(NotFoundError):
    """There is no such app for this user."""


@dataclass
class FakeApps:
    """Holds apps. `down` makes every call fail; `refusal` is what begin_operation answers.

    `lost` makes it answer once that nothing is known, when the app is held; `broken` is what ending an operation
    answers once.
    """

    apps: dict[str, AppFacts] = field(default_factory=lambda: {APP.app_id: APP})
    held: dict[str, str] = field(default_factory=dict)
    finished: list[tuple[str, bool, str]] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    restored_from: dict[str, str] = field(default_factory=dict)
    reports: list[ProgressReport] = field(default_factory=list)
    beside: list[BesideOrder] = field(default_factory=list)
    standings: dict[str, str] = field(default_factory=dict)
    probed: list[str] = field(default_factory=list)
    probe: AppProbe = field(default_factory=lambda: AppProbe(answered=True))
    refusal: DomainError | None = None
    down: bool = False
    lost: bool = False
    broken: DomainError | None = None

    def _answer(self) -> None:
        if self.down:
            raise UnavailableError("apps does not answer")

    async def get_app(self, app_id: str, *, user_id: int | None) -> AppFacts:
        self._answer()
        app = self.apps.get(app_id)
        if app is None or user_id not in (None, app.owner_id):
            raise FakeAppGoneError(f"there is no app {app_id!r}")
        return replace(app, operation_id=self.held.get(app_id, ""))

    async def begin_operation(
        self, app_id: str, operation_id: str, *, kind: str, made_by: str = "", user: object = None
    ) -> AppFacts:
        self.restored_from[operation_id] = made_by
        if self.refusal is not None:
            raise self.refusal
        app = await self.get_app(app_id, user_id=None)
        if self.held.get(app_id, operation_id) != operation_id:
            raise AppBusyError(f"{app_id} is busy")
        self.held[app_id] = operation_id
        if self.lost:
            self.lost = False
            raise UnavailableError("the answer was lost")
        return app

    async def report_operation(self, app_id: str, operation_id: str, *, report: ProgressReport) -> None:
        self._answer()
        self.reports.append(report)

    async def finish_operation(
        self, app_id: str, operation_id: str, *, succeeded: bool, message: str, status: str = ""
    ) -> None:
        self._answer()
        if self.broken is not None:
            problem, self.broken = self.broken, None
            raise problem
        if self.held.get(app_id) == operation_id:
            del self.held[app_id]
            self.finished.append((operation_id, succeeded, status))
            self.messages.append(message)

    async def probe_app(self, app_id: str, operation_id: str) -> AppProbe:
        self._answer()
        self.probed.append(app_id)
        return self.probe

    async def restore_beside(self, order: BesideOrder, *, user: object) -> BesideStarted:
        self._answer()
        if self.refusal is not None:
            raise self.refusal
        self.beside.append(order)
        self.standings[order.operation_id] = "unfinished"
        return BesideStarted("web-99999999", f"{order.new_hostname} is made of {order.archive}")

    async def find_standing(self, operation_id: str) -> str:
        self._answer()
        return self.standings.get(operation_id, "unknown")

    async def find_removed(self, app_ids: Sequence[str]) -> Sequence[str]:
        self._answer()
        return [app_id for app_id in app_ids if app_id not in self.apps]


@dataclass
class FakeContainers:
    """One Proxmox host. `failing` names the tasks that end with an error; `lost` those whose answer is lost once,
    or "task", which Proxmox forgets once.

    `unarchived` are volumes that archives lack; `named` says whether a running task's log names its archive; `reason` is
    why tasks fail; `restored_to` collects the storages asked for. `there` says whether there is a container; `fragile`, that a restore that fails leaves none; `wreck`, that one left
    something which has to be destroyed first.
    """

    running: bool = True
    there: bool = True
    fragile: bool = False
    wreck: bool = False
    content: str = "first"
    archives: dict[str, tuple[Archive, str]] = field(default_factory=dict)
    failing: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    complete: bool = True
    started: list[str] = field(default_factory=list)
    outcomes: dict[str, TaskUpdate] = field(default_factory=dict)
    protection: dict[str, bool] = field(default_factory=dict)
    unarchived: list[UnarchivedVolume] = field(default_factory=list)
    restored_to: list[str] = field(default_factory=list)
    size: int = 3 << 20
    named: bool = True
    reason: str = ""

    def _begin(self, kind: str, result: str = "") -> Task:
        upid = f"UPID:pve1:{len(self.outcomes)}:{kind}"
        self.started.append(kind)
        failed = kind in self.failing
        self.outcomes[upid] = TaskUpdate(
            None,
            done=True,
            succeeded=not failed,
            exit_status=f"{kind} broke" if failed else "OK",
            result=result,
        )
        return Task(1, "pve1", upid)

    def _may_lose(self, kind: str) -> None:
        if kind in self.lost:
            self.lost.remove(kind)
            raise UnavailableError(f"the answer of {kind} was lost")

    async def backup_container(self, place: Place, *, owner: str, order: BackupOrder, mark: str) -> Task:
        for archive, _ in self.archives.values():
            if archive.has_mark(mark):
                return Task(1, "pve1", "", archive.volume_id)
        name = f"vzdump-lxc-{place.vmid}-{len(self.archives)}.tar.zst"
        volume = f"local:backup/{name}"
        if "vzdump" not in self.failing:
            archive = Archive(volume, "local", name, self.size, f"proximity-backup: {mark}")
            self.archives[volume] = (archive, self.content)
        elif order.backup_type == "stop":
            self.running = False  # broken off in the middle
        task = self._begin("vzdump", volume)
        self._may_lose("vzdump")
        return task

    async def restore_container(
        self, place: Place, *, owner: str, archive: str, storage: str = "", lose_volumes: Sequence[str] = ()
    ) -> Task:
        self.restored_to.append(storage)
        if self.running:
            raise PreconditionError("the container runs")
        if self.wreck:
            broken = BusyError("a restore was broken off")
            broken.reason = "CREATION_BROKEN"  # type: ignore[misc]  # as the wire brings it
            raise broken
        if "vzrestore" not in self.failing:
            self.content, self.there = self.archives[archive][1], True
        elif self.fragile:
            self.there = False
        return self._begin("vzrestore")

    async def list_unarchived(
        self, place: Place, *, owner: str, archive: str = ""
    ) -> Sequence[UnarchivedVolume]:
        self._may_lose("volumes")
        if not self.there:
            raise NotFoundError("there is no container")
        return self.unarchived

    async def destroy_container(self, place: Place, *, owner: str) -> Task:
        self.there = self.wreck = False
        return self._begin("vzdestroy")

    async def has_container(self, place: Place) -> bool:
        return self.there

    async def start_container(self, place: Place, *, owner: str) -> Task:
        self.running = "vzstart" not in self.failing
        return self._begin("vzstart")

    async def stop_container(self, place: Place, *, owner: str) -> Task:
        self.running = "vzstop" in self.failing
        task = self._begin("vzstop")
        self._may_lose("vzstop")
        return task

    async def is_running(self, place: Place) -> bool:
        return self.running

    async def list_archives(self, place: Place) -> tuple[Sequence[Archive], bool]:
        return [archive for archive, _ in self.archives.values()], self.complete

    async def update_archive(
        self, host_id: int, volume_id: str, *, protected: bool | None, notes: str | None
    ) -> None:
        if protected is not None:
            self.protection[volume_id] = protected

    async def delete_archive(self, host_id: int, volume_id: str) -> Task:
        if "imgdel" not in self.failing:
            self.archives.pop(volume_id, None)
        return self._begin("imgdel")

    async def is_dumping(self, place: Place) -> bool:
        return False

    async def stop_task(self, task: Task) -> None:
        return None

    async def watch_task(self, task: Task) -> AsyncIterator[TaskUpdate]:
        self._may_lose("watch")
        if "task" in self.lost:
            self.lost.remove("task")
            raise NotFoundError(f"pve1 knows no task {task.upid}")
        outcome = self.outcomes[task.upid]
        result = outcome.result if self.named else ""
        yield TaskUpdate(None, done=False, succeeded=False, exit_status="", result=result)
        yield replace(outcome, reason=self.reason)
