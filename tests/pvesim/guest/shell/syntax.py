"""What a shell script consists of."""

from dataclasses import dataclass, field


class ShellSyntaxError(Exception):
    """The script breaks the grammar; the text says where."""


class IncompleteScriptError(ShellSyntaxError):
    """The script ends inside something; more input may complete it.

    `delimiter` is the line that ends the heredoc it is inside of, if it is one.
    """

    delimiter: str | None = None


@dataclass(frozen=True, slots=True)
class Literal:
    text: str
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Param:
    """`$name` or `${name<op>argument}`; `op` is one of "", ":-", "-", ":=", ":?", "#", "%%", "len", ..."""

    name: str
    op: str = ""
    argument: "Word | None" = None
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Substitution:
    """`$(script)`."""

    script: str
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`$((expression))`."""

    expression: "Word"
    quoted: bool = False


Part = Literal | Param | Substitution | Arithmetic


@dataclass(frozen=True, slots=True)
class Word:
    parts: tuple[Part, ...] = ()

    def bare(self) -> str | None:
        """Its text when no part of it is quoted or expanded."""
        if len(self.parts) == 1 and isinstance(self.parts[0], Literal) and not self.parts[0].quoted:
            return self.parts[0].text
        return None


@dataclass(slots=True)
class Redirect:
    """`fd op target`; a heredoc's body is its target, filled in when its line has ended."""

    fd: int
    op: str
    target: Word


@dataclass(slots=True)
class Simple:
    line: int
    assigns: list[tuple[str, Word]] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    redirects: list[Redirect] = field(default_factory=list)


@dataclass(slots=True)
class Pipeline:
    commands: list["Node"]
    negated: bool = False


@dataclass(slots=True)
class AndOr:
    first: "Node"
    rest: list[tuple[str, "Node"]]


@dataclass(slots=True)
class Sequence:
    items: list[tuple["Node", bool]]
    """Each with whether it runs in the background."""


@dataclass(slots=True)
class If:
    branches: list[tuple["Node", "Node"]]
    otherwise: "Node | None"


@dataclass(slots=True)
class For:
    name: str
    words: list[Word] | None
    body: "Node"


@dataclass(slots=True)
class While:
    condition: "Node"
    body: "Node"
    until: bool


@dataclass(slots=True)
class Case:
    subject: Word
    branches: list[tuple[list[Word], "Node"]]


@dataclass(slots=True)
class Block:
    """`{ ...; }`, or `( ... )` when `subshell`."""

    body: "Node"
    subshell: bool


@dataclass(slots=True)
class Function:
    name: str
    body: "Node"


@dataclass(slots=True)
class Redirected:
    """A compound command with redirections."""

    command: "Node"
    redirects: list[Redirect]


Node = Simple | Pipeline | AndOr | Sequence | If | For | While | Case | Block | Function | Redirected
