"""The whole cluster's state, and the few changes that everything else is made of."""

from collections.abc import Callable

from tests.pvesim.model.cluster_state import ClusterState, missing_config, no_such_storage
from tests.pvesim.model.entities import (
    Task,
)
from tests.pvesim.model.errors import TaskFailedError
from tests.pvesim.model.work import Job, Pause, Work

KEPT_TASKS = 5000


class Cluster(ClusterState):
    """A simulated cluster with its tasks."""

    def start_task(
        self,
        *,
        node: str,
        kind: str,
        label: str,
        user: str,
        work: Callable[[Task], Work],
    ) -> str:
        """Register a task, hand its work to whoever drives it, and return its UPID."""
        self.serial += 1
        self.touch("settings", "serial")
        now = int(self.now())
        pid = 0x2000 + self.serial % 0x3F0000
        booted = self.nodes[node].boot_time if node in self.nodes else 0
        pstart = (int((self.now() - booted) * 100) + self.serial) & 0xFFFFFFFF
        upid = f"UPID:{node}:{pid:08X}:{pstart:08X}:{now:08X}:{kind}:{label}:{user}:"
        task = Task(upid, node, kind, label, user, now, pid, pstart)
        self.add("tasks", upid, task)
        self.started.append(Job(task, work(task)))
        self._forget_old_tasks()
        return upid

    def finish_task(self, task: Task, exitstatus: str) -> None:
        """End a task: the last line, the status, the locks."""
        warnings = sum(line.startswith("WARN: ") for line in task.lines)
        if exitstatus == "OK" and warnings:
            exitstatus = f"WARNINGS: {warnings}"
        if exitstatus == "OK" or exitstatus.startswith("WARNINGS"):
            task.log(f"TASK {exitstatus}")
        else:
            task.log(f"TASK ERROR: {exitstatus}")
        task.exitstatus = exitstatus
        task.endtime = int(self.now())
        task.recovery = {}
        self.locks.release(task.upid)
        self.touch("tasks", task.upid)

    def hold(self, task: Task, name: str, *, limit: float, path: str) -> "Work":
        """Wait for a lock inside a task; Proxmox's words if it does not come."""
        if self.is_lock_stuck(task):
            raise TaskFailedError(f"can't lock file '{path}' - got timeout")
        got = yield from self.locks.wait(name, task.upid, limit=limit, clock=self.clock)
        if not got:
            raise TaskFailedError(f"can't lock file '{path}' - got timeout")

    def hold_container(self, task: Task, vmid: int) -> "Work":
        """Take a container's configuration lock, as every task on it does."""
        path = f"/run/lock/lxc/pve-config-{vmid}.lock"
        yield from self.hold(task, f"ct-{vmid}", limit=10, path=path)

    def recover_tasks(self) -> None:
        """After a crash: end what was running and undo what it left half done."""
        for task in [one for one in self.tasks.values() if one.running]:
            recovery = dict(task.recovery)
            self.finish_task(task, "interrupted by signal")
            source = self.containers.get(recovery.get("unlock", -1))
            if source is not None and source.config.pop("lock", None):
                self.mark(source)
            container = self.containers.get(recovery.get("vmid", -1))
            if container is None:
                continue
            if recovery.get("remove"):
                self.remove_container(container.vmid)
            elif container.config.pop("lock", None):
                self.mark(container)

    def _forget_old_tasks(self) -> None:
        if len(self.tasks) <= KEPT_TASKS:
            return
        for upid in [upid for upid, task in self.tasks.items() if not task.running][: KEPT_TASKS // 10]:
            self.drop("tasks", upid)


__all__ = ["Cluster", "Pause", "missing_config", "no_such_storage"]
