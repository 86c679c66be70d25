"""From words to arguments: parameters, substitutions, splitting, file names."""

import fnmatch
import posixpath
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace

from tests.pvesim.guest.filesystem import FileSystem, FsError
from tests.pvesim.guest.shell.arithmetic import evaluate
from tests.pvesim.guest.shell.fields import BLANK, Field, Segment, split_fields
from tests.pvesim.guest.shell.state import ExpansionError, State
from tests.pvesim.guest.shell.syntax import Arithmetic, Literal, Param, Part, Substitution, Word

Substitute = Callable[[str], Awaitable[str]]


class Expander:
    """Expands words in a shell's state."""

    def __init__(self, state: State, fs: FileSystem, substitute: Substitute) -> None:
        self.state = state
        self.fs = fs
        self.substitute = substitute

    async def expand_fields(self, word: Word) -> list[str]:
        """The arguments that a word becomes: none, one or several."""
        fields = split_fields(await self._segments(word), self.separators)
        return [name for f in fields for name in self._match_names(f)]

    @property
    def separators(self) -> str:
        """The characters that separate fields."""
        return self.state.variables.get("IFS", BLANK)

    async def expand_text(self, word: Word) -> str:
        """The word as one text, neither split nor matched."""
        return "".join((s.joint if s.breaks else "") + s.text for s in await self._segments(word))

    async def expand_pattern(self, word: Word) -> str:
        """The word as a pattern, in which quoted characters stand for themselves."""
        whole = Field()
        for segment in await self._segments(word):
            whole.add(segment.text, quoted=segment.quoted)
        return whole.pattern

    async def _segments(self, word: Word) -> list[Segment]:
        segments: list[Segment] = []
        for index, part in enumerate(word.parts):
            segments += await self._expand_part(part, first=index == 0)
        return segments

    async def _expand_part(self, part: Part, *, first: bool) -> list[Segment]:
        if isinstance(part, Literal):
            text = self._expand_tilde(part.text) if first and not part.quoted else part.text
            return [Segment(text, part.quoted)]
        if isinstance(part, Param):
            return await self._expand_param(part)
        if isinstance(part, Substitution):
            return [Segment((await self.substitute(part.script)).rstrip("\n"), part.quoted, not part.quoted)]
        return [Segment(await self._evaluate(part), part.quoted, not part.quoted)]

    def _expand_tilde(self, text: str) -> str:
        home = self.state.variables.get("HOME", "/root")
        return home + text[1:] if text == "~" or text.startswith("~/") else text

    async def _evaluate(self, part: Arithmetic) -> str:
        text = await self.expand_text(part.expression)
        if self.state.name == "sh" and not text.strip():
            raise ExpansionError(f'arithmetic expression: expecting primary: "{text}"')
        return str(evaluate(text, self.state.variables))

    async def _expand_param(self, part: Param) -> list[Segment]:
        if part.name in "@*" and not part.op and (part.name == "@" or not part.quoted):
            return self._expand_arguments(part)
        value = self.look_up(part.name)
        if part.op == "len":
            return [Segment(str(len(value or "")), part.quoted)]
        if part.op in ("", "#", "##", "%", "%%"):
            return [
                Segment(await self._trim(part, self._require(part.name, value)), part.quoted, not part.quoted)
            ]
        return await self._expand_conditional(part, value)

    def _expand_arguments(self, part: Param) -> list[Segment]:
        joint = " " if part.name == "@" and self.state.name == "bash" else self.separators[:1]
        return [
            Segment(argument, part.quoted, not part.quoted, breaks=index > 0, joint=joint)
            for index, argument in enumerate(self.state.arguments)
        ]

    def _require(self, name: str, value: str | None) -> str:
        if value is None and "u" in self.state.options and name not in "@*":
            raise ExpansionError(f"{name}: parameter not set")
        return value or ""

    async def _trim(self, part: Param, value: str) -> str:
        if not part.op or part.argument is None:
            return value
        pattern = re.compile(fnmatch.translate(await self.expand_pattern(part.argument)))
        ends = range(len(value) + 1) if part.op in ("#", "%%") else range(len(value), -1, -1)
        for end in ends:
            head, tail = value[:end], value[end:]
            if pattern.match(head if part.op[0] == "#" else tail):
                return tail if part.op[0] == "#" else head
        return value

    async def _expand_conditional(self, part: Param, value: str | None) -> list[Segment]:
        assert part.argument is not None
        nothing = [Segment("", quoted=True)] if part.quoted else []
        missing = value is None or (part.op[0] == ":" and value == "")
        kind = part.op[-1]
        if kind == "+":
            return nothing if missing else await self._expand_argument(part.argument) or nothing
        if not missing:
            return [Segment(value or "", part.quoted, not part.quoted)]
        if kind == "?":
            raise ExpansionError(
                f"{part.name}: {await self.expand_text(part.argument) or 'parameter not set'}"
            )
        if kind == "=":
            self.state.variables[part.name] = await self.expand_text(part.argument)
        return await self._expand_argument(part.argument) or nothing

    async def _expand_argument(self, word: Word) -> list[Segment]:
        return [replace(s, split=not s.quoted) for s in await self._segments(word)]

    def look_up(self, name: str) -> str | None:
        """A parameter's value; None when it is not set."""
        special = {
            "?": str(self.state.status),
            "$": "4242",
            "!": str(self.state.background),
            "#": str(len(self.state.arguments)),
            "@": " ".join(self.state.arguments),
            "*": self.separators[:1].join(self.state.arguments),
            "-": "".join(sorted(o for o in self.state.options if len(o) == 1)),
            "0": self.state.name,
        }
        if name in special:
            return special[name]
        if name.isdigit():
            index = int(name) - 1
            return self.state.arguments[index] if index < len(self.state.arguments) else None
        if name == "PWD":
            return self.state.cwd
        return self.state.variables.get(name)

    def _match_names(self, word: Field) -> list[str]:
        if not word.globs or "f" in self.state.options:
            return [word.text]
        start = "/" if word.pattern.startswith("/") else ""
        found = [start]
        for part in word.pattern.strip("/").split("/"):
            found = [name for place in found for name in self._match_part(place, part)]
        return sorted(found) or [word.text]

    def _match_part(self, place: str, pattern: str) -> list[str]:
        directory = posixpath.join(self.state.cwd, place)
        try:
            names = self.fs.list_dir(directory)
        except FsError:
            return []
        shown = [n for n in names if fnmatch.fnmatchcase(n, pattern) and (n[0] != "." or pattern[0] == ".")]
        return [posixpath.join(place, name) for name in shown]
