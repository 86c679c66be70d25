"""What a shell remembers, and how it leaves what it is doing."""

from dataclasses import dataclass, field, replace

from tests.pvesim.guest.shell.syntax import Node


class LeaveError(Exception):
    """Leaves the shell (`exit`), with a status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class ReturnError(LeaveError):
    """Leaves a function or sourced file."""


class SpecialBuiltinError(LeaveError):
    """A special builtin failed, which ends every shell but bash that is not interactive."""


class LoopError(Exception):
    """`break` (or `continue`) out of a number of loops."""

    def __init__(self, levels: int, *, again: bool) -> None:
        super().__init__(levels)
        self.levels = levels
        self.again = again


class ExpansionError(Exception):
    """A word that cannot be expanded (`${X:?}`, `set -u`)."""


@dataclass(slots=True)
class State:
    """Variables, functions, options of one shell."""

    variables: dict[str, str]
    exported: set[str]
    cwd: str
    name: str = "sh"
    arguments: list[str] = field(default_factory=list)
    functions: dict[str, Node] = field(default_factory=dict)
    options: set[str] = field(default_factory=set)
    traps: dict[str, str] = field(default_factory=dict)
    local_values: list[dict[str, str | None]] = field(default_factory=list)
    """Of each function being run, what its local variables were before."""
    status: int = 0
    substituted: int = 0
    """The status of the last substitution in the words of a command, which is its own when nothing else runs."""
    background: int = 0
    loops: int = 0
    """How many loops of the function (or script) the command is inside of."""
    leaving: int | None = None
    """In the EXIT trap, the status that the shell ends with."""
    guarded: int = 0
    """How many conditions we are inside of: `set -e` does not apply there."""

    def environment(self) -> dict[str, str]:
        """What programs are given."""
        return {name: self.variables[name] for name in sorted(self.exported) if name in self.variables}

    def fork(self) -> "State":
        """A subshell's copy."""
        return replace(
            self,
            variables=dict(self.variables),
            exported=set(self.exported),
            arguments=list(self.arguments),
            functions=dict(self.functions),
            options=set(self.options),
            traps={},
            local_values=[],
        )
