"""What an operation on an app has found out so far, and what becomes of the app at its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from services.apps.domain.entities import Change, ChangeApp
from services.apps.domain.errors import StepFailedError
from services.apps.domain.interfaces import Ref


@dataclass(frozen=True)
class AppState:
    """What an operation has found out so far; no secrets.

    Attributes:
        previous: status of the app before.
        was_running: whether its container ran before.
        looked: whether that was seen in Proxmox.
        source_*: the app that is copied.
        source_stopped: the source was stopped for the copy and has to be started again.
        archive: the backup that a new app is made of.
        changes: what `update_app` changes in the container.
        former: the values of before, of those that it changes.
        image: volume id of the pulled OCI image.
    """

    app_id: str
    host_id: int
    node: str = ""
    vmid: int | None = None
    previous: str = "running"
    was_running: bool = True
    looked: bool = False
    source_app_id: str = ""
    source_vmid: int = 0
    source_node: str = ""
    source_stopped: bool = False
    archive: str = ""
    target_node: str = ""
    image: str = ""
    address: str = ""
    port: int | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    former: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ref(self) -> Ref:
        """The container.

        Raises:
            StepFailedError: it has none.
        """
        if self.vmid is None:
            raise StepFailedError(f"the app {self.app_id} has no container")
        return Ref(self.host_id, self.vmid, self.node)

    @property
    def source(self) -> Ref:
        """The container that is copied."""
        return Ref(self.host_id, self.source_vmid, self.source_node)


def end_failed(state: AppState, error: str, cancelled: bool) -> tuple[Change, ...]:
    """The app is in error, or as before when the user cancelled."""
    values = {"status": "error", "error": error, "node": state.node}
    if cancelled:
        values |= {
            "status": state.previous,
            "error": "the last operation was cancelled" if state.previous == "error" else "",
        }
    return (ChangeApp(state.app_id, values),)


def end_failed_new(state: AppState, error: str, cancelled: bool) -> tuple[Change, ...]:
    """An app that never came to be: in error, its port free again."""
    reason = "cancelled" if cancelled else error
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
