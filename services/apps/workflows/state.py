"""States that workflows on an app build on, and the changes at the end of an operation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from services.apps.domain.changes import Change, ChangeApp
from services.apps.domain.errors import StepFailedError
from services.clients.inventory.values import Ref
from services.common.operations.model import Failure


@dataclass(frozen=True)
class AppState:
    """State of an operation on an app; no secrets.

    Attributes:
        previous: status of the app before.
        was_running: whether its container ran before.
        looked: whether that was seen in Proxmox.
        runtime: compose or oci; empty in operations that an earlier release recorded.
        has_port: the app has a port that can be probed.
        files_written: the app's definition and values are in the container.
        launched: its services were started.
    """

    app_id: str
    host_id: int
    node: str = ""
    vmid: int | None = None
    previous: str = "running"
    was_running: bool = True
    looked: bool = False
    address: str = ""
    runtime: str = ""
    has_port: bool = True
    files_written: bool = False
    launched: bool = False

    @property
    def ref(self) -> Ref:
        """The container.

        Raises:
            StepFailedError: it has none.
        """
        if self.vmid is None:
            raise StepFailedError(f"the app {self.app_id} has no container")
        return Ref(self.host_id, self.vmid, self.node)


@dataclass(frozen=True)
class CreationState(AppState):
    """State of an operation that makes the container of a new app.

    Attributes:
        taken_over: the container was there before this operation made one, so a failure does not destroy it.
    """

    taken_over: bool = False


@dataclass(frozen=True)
class ChangeState(AppState):
    """State of an operation that changes a container and goes back when it fails.

    Attributes:
        snapshot: name of the container's snapshot of before, while there may be one.
        touched: the container may no longer be what it was.
        recovered: after a failure, it is again what it was, and runs if it ran.
    """

    snapshot: str = ""
    touched: bool = False
    recovered: bool = False


def end_failed(state: AppState, failure: Failure) -> tuple[Change, ...]:
    """The app is in error, or as before when the user cancelled."""
    values = {"status": "error", "error": failure.error, "node": state.node}
    if failure.cancelled:
        values |= {
            "status": state.previous,
            "error": "the last operation was cancelled" if state.previous == "error" else "",
        }
    return (ChangeApp(state.app_id, values),)


def end_as_before(state: AppState) -> tuple[Change, ...]:
    """The app runs or rests as its container did."""
    if state.vmid is None:
        error = "it has no container; delete it and deploy it again"
        return (ChangeApp(state.app_id, {"status": "error", "error": error}),)
    return (ChangeApp(state.app_id, {"status": "running" if state.was_running else "stopped", "error": ""}),)


def end_taken_back(state: ChangeState, error: str) -> dict[str, Any]:
    """The values of an app after a failure that was taken back: as before, unless what ran before does not any more."""
    # An operation that touched nothing leaves the app as it was.
    is_wrong = state.previous == "error" or (state.touched and not state.recovered)
    return {"status": "error", "error": error} if is_wrong else {"status": state.previous, "error": ""}


def end_failed_new(state: CreationState, failure: Failure) -> tuple[Change, ...]:
    """An app that never came to be: in error, its port free again; with a container taken over it keeps both."""
    reason = "cancelled" if failure.cancelled else failure.error
    # Its container may answer at the port, which no other app may get.
    if state.taken_over:
        return (ChangeApp(state.app_id, {"status": "error", "error": reason}),)
    return (
        ChangeApp(
            state.app_id, {"status": "error", "error": reason, "public_port": None, "published": False}
        ),
    )


def end_with(status: str, *, forget_address: bool = False) -> Any:
    """The function that ends an operation with a status."""

    def end(state: AppState) -> tuple[Change, ...]:
        values: dict[str, Any] = {"status": status, "error": "", "conditions": []}
        if forget_address:
            values["address"] = ""
        return (ChangeApp(state.app_id, values),)

    return end
