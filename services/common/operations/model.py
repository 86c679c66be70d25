"""Workflows and their steps, over one frozen state; operations as clients see them."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, get_args, get_type_hints

from services.common.core.errors import DomainError, NotFoundError, is_transient, is_waiting

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

MAX_ATTEMPTS = 3  # of a step whose failure may pass: about 10 s with the delays between them
_WAIT_S = 2.0  # the least delay before a transient error is tried again: a claim and a check cost 5 ms
S = TypeVar("S", bound="DataclassInstance")  # the frozen state of a workflow
S_contra = TypeVar("S_contra", bound="DataclassInstance", contravariant=True)
Change = Any  # what the service's store can apply


class OperationNotFoundError(NotFoundError):
    """There is no such operation."""


class WaitError(Exception):
    """A step cannot go on yet. Waiting is not an attempt; the operation's deadline bounds it, in every step.

    The worker lets the operation go; any worker takes it up again at this step when the `delay` (seconds) is over.
    `reason` is what it waits for, for a person.
    """

    def __init__(self, reason: str, *, delay: float = 2.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.delay = delay


@dataclass(frozen=True)
class StepResult(Generic[S]):
    """A new state, and changes to commit together with it."""

    state: S
    changes: tuple[Change, ...] = ()


class Context(Protocol):
    """The operation as a running step sees it: its log, its progress, its persisted state."""

    @property
    def operation(self) -> ClaimedOperation:
        """The operation that the step belongs to."""

    @property
    def is_cancelled(self) -> bool:
        """Whether a cancellation was requested; while the operation is undone, whether that is the reason."""

    async def log(self, message: str, *, level: str = "info") -> None:
        """Write a line into the log of the operation's subject; level is info, warning or error."""

    async def save(self, state: Any, *changes: Change) -> None:
        """Write state (and changes) down in the middle of a step, before an id in it is used."""

    async def note_upid(self, upid: str) -> None:
        """Note a Proxmox task that the step started."""

    async def list_upids(self) -> Sequence[str]:
        """The Proxmox tasks that this operation's steps noted."""

    async def progress(self, fraction: float, *, message: str = "") -> None:
        """Say how far the step is, 0-1."""


Run = Callable[[S, Context], Awaitable[S | StepResult[S]]]


class OnWaiting(Protocol[S_contra]):
    """Report of a step that has to wait."""

    async def __call__(self, state: S_contra, ctx: Context, *, step: str, reason: str) -> None:
        """Report the step by its name, and what it waits for; must not fail."""


@dataclass(frozen=True)
class Failure:
    """Reason of an operation that ended without success; `cancelled` if on request."""

    error: str
    cancelled: bool


def _always(_state: Any) -> bool:
    return True


@dataclass(frozen=True)
class Step(Generic[S]):
    """One step of a workflow.

    Attributes:
        name: constant snake_case.
        description: what it does, for a person: "Creating the container".
        run: does it, and returns the new state or a StepResult. It may run again: it checks the actual state first.
        undo: takes it back; also called when the step failed midway. It may run again as well.
        weight: its share of the progress.
        cancellable: False from where there is no way back: a cancellation is then too late.
        applies: whether it has anything to do for a state; else it is neither recorded nor run, unless recorded before.
    """

    name: str
    description: str
    run: Run[S]
    undo: Run[S] | None = None
    weight: float = 1.0
    cancellable: bool = True
    applies: Callable[[S], bool] = _always


@dataclass(frozen=True)
class Workflow(Generic[S]):
    """A tuple of steps over one frozen state.

    Attributes:
        kind: constant snake_case, the name of the RPC.
        state_type: frozen dataclass of values that JSON can hold, or that have `from_json` and `to_json`.
        on_succeeded: changes to commit with the success.
        on_failed: changes to commit with the failure or cancellation, after undoing.
        timeout_s, timeout_of: seconds after the first step began, after which an operation fails and is undone; a step
            that is not cancellable only waits no longer. `timeout_of` is of one state, 0 where `timeout_s` counts.
        on_waiting: called whenever a step has to wait, to report it to others.
    """

    kind: str
    steps: tuple[Step[S], ...]
    state_type: type[S]
    on_succeeded: Callable[[S], Sequence[Change]]
    on_failed: Callable[[S, Failure], Sequence[Change]]
    timeout_s: float = 24 * 3600.0
    timeout_of: Callable[[S], float] | None = None
    on_waiting: OnWaiting[S] | None = None

    def choose_steps(self, state: S, *, recorded: Collection[str] = ()) -> tuple[Step[S], ...]:
        """Choose the steps that have something to do for a state, and those that are recorded already."""
        return tuple(step for step in self.steps if step.name in recorded or step.applies(state))

    def plan(self, data: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
        """Name and description of each step that a new operation with this state has."""
        return tuple((step.name, step.description) for step in self.choose_steps(self.load_state(data)))

    def load_state(self, data: Mapping[str, Any]) -> S:
        """The state from its JSON; fields that a newer or older version does not know are left out."""
        names = {field.name for field in dataclasses.fields(self.state_type)}
        parsers = _list_parsers(self.state_type)
        values = {
            name: parsers[name](value) if name in parsers and value is not None else value
            for name, value in data.items()
            if name in names
        }
        return self.state_type(**values)


@cache
def _list_parsers(state_type: type) -> Mapping[str, Callable[[Any], object]]:
    """The `from_json` of each field whose type has one."""
    hints = get_type_hints(state_type)
    options = ((name, option) for name, hint in hints.items() for option in (get_args(hint) or (hint,)))
    return {name: option.from_json for name, option in options if hasattr(option, "from_json")}


def dump_state(state: Any) -> dict[str, Any]:
    """A state as JSON values; a value with `to_json` chooses its own."""
    values = ((field.name, getattr(state, field.name)) for field in dataclasses.fields(state))
    return {name: value.to_json() if hasattr(value, "to_json") else value for name, value in values}


@dataclass(frozen=True)
class NewOperation:
    """An operation to record.

    Attributes:
        subject: what it works on (an app id); at most one unfinished operation per subject.
        not_before: earliest start; None is now.
        delegated: another service executes it, no worker of this one does.
        node, storage: what it burdens, for limits (`OperationLimits`); empty: nothing that counts.
    """

    id: str
    subject: str
    kind: str
    state: dict[str, Any]
    steps: tuple[tuple[str, str], ...] = ()
    requested_by: int | None = None
    not_before: datetime | None = None
    traceparent: str = ""
    delegated: bool = False
    node: str = ""
    storage: str = ""


@dataclass(frozen=True, kw_only=True)
class DelegatedStep:
    """The step that another service reports of a delegated operation; those before it are done."""

    position: int
    name: str
    description: str
    attempts: int = 1
    upid: str = ""


@dataclass(frozen=True)
class ClaimedOperation:
    """An operation that this worker has leased, under a fencing token."""

    id: str
    subject: str
    kind: str
    state: dict[str, Any]
    status: str
    step_index: int
    fence: int
    error: str
    cancel_requested: bool
    undo_attempts: int
    requested_by: int | None
    created_at: datetime
    started_at: datetime
    attempt: int = 0
    traceparent: str = ""
    worker: str = ""
    waiting_for: str = ""


def find_wait(error: BaseException) -> WaitError | None:
    """Return what to wait for if an error passes by itself, or None."""
    if isinstance(error, WaitError):
        return error
    if isinstance(error, DomainError) and is_waiting(error):
        return WaitError(error.message, delay=max(error.retry_after or 0.0, _WAIT_S))
    return None


def may_pass(error: BaseException) -> bool:
    """Whether an error says nothing for good: trying again may help, or it passes by itself."""
    return is_transient(error) or find_wait(error) is not None


@dataclass(frozen=True, kw_only=True)
class OperationStep:
    """One step of an operation; `position` counts from 0."""

    position: int
    name: str
    description: str
    status: str
    attempts: int
    started_at: datetime | None
    finished_at: datetime | None
    message: str
    upids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One long operation; `status` is also dead, when a person is needed.

    Attributes:
        subject: what it works on, such as the id of an app.
        expected_s: seconds that the last one of its kind took, where that was looked up.
    """

    id: str
    subject: str
    kind: str
    status: str
    progress: int
    step_index: int
    step_count: int
    attempt: int
    error: str
    waiting_for: str
    worker: str
    traceparent: str
    cancel_requested: bool
    delegated: bool
    requested_by: int | None
    created_at: datetime
    started_at: datetime | None
    updated_at: datetime
    finished_at: datetime | None
    steps: tuple[OperationStep, ...] = ()
    expected_s: int | None = None

    @property
    def step(self) -> OperationStep | None:
        """The step under way; of an operation that another service carries out, also when it reports not every step."""
        return next((step for step in self.steps if step.position == self.step_index), None)
