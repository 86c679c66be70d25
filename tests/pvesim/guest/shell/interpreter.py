"""Runs parsed scripts on a machine."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any

from tests.pvesim.guest.filesystem import FsError
from tests.pvesim.guest.machine import NOT_EXECUTABLE, NOT_KNOWN, Process
from tests.pvesim.guest.shell.control_flow import ControlFlow
from tests.pvesim.guest.shell.expansion import Expander
from tests.pvesim.guest.shell.parser import Parser
from tests.pvesim.guest.shell.redirects import Streams, open_redirects
from tests.pvesim.guest.shell.state import (
    ExpansionError,
    LeaveError,
    LoopError,
    ReturnError,
    SpecialBuiltinError,
    State,
)
from tests.pvesim.guest.shell.syntax import (
    Block,
    Function,
    Node,
    Pipeline,
    Redirected,
    Sequence,
    ShellSyntaxError,
    Simple,
)
from tests.pvesim.guest.streams import BytesSink, BytesSource

MAX_DEPTH = 60
SYNTAX_STATUS = 2


@dataclass(slots=True)
class Shell(ControlFlow):
    """A shell: its state, its streams, and the process that it is."""

    process: Process
    state: State
    line_offset: int = 0

    @property
    def expander(self) -> Expander:
        return Expander(self.state, self.process.fs, self._substitute)

    def complain(self, text: str, *, line: int = 1, status: int = 1) -> int:
        """An error message in this shell's form."""
        name = self.state.name
        place = {"bash": f"bash: line {line}", "ash": "sh"}.get(name, f"{name}: {line}")
        return self.process.complain(f"{place}: {text}", status)

    async def run_script(self, text: str) -> int:
        """Run a script to its end; `exit` leaves by LeaveError."""
        parser = Parser(text)
        streams = Streams(self.process.stdin, self.process.stdout, self.process.stderr)
        status = 0
        while True:
            try:
                node = parser.parse_next()
            except ShellSyntaxError as error:
                self.state.status = self.complain(
                    f"Syntax error: {error}", line=parser.line(), status=SYNTAX_STATUS
                )
                return self.state.status
            if node is None:
                return status
            status = await self.run_node(node, streams)

    async def run_whole(self, text: str) -> int:
        """Run a script as a program: `exit` and the EXIT trap end here."""
        return await self._run_to_end(self.run_script(text))

    async def run_forked(self, node: Node, streams: Streams) -> int:
        """Run a command as a subshell does: nothing that it does to the state comes back."""
        return await self._run_to_end(self.run_node(node, streams))

    async def _run_to_end(self, work: Coroutine[Any, Any, int]) -> int:
        self.state.status = await self._catch_end(work)
        trap = self.state.traps.pop("EXIT", None)
        if trap is None:
            return self.state.status
        self.state.leaving = self.state.status
        return await self._catch_end(self._run_exit_trap(trap, status=self.state.status))

    async def _catch_end(self, work: Coroutine[Any, Any, int]) -> int:
        try:
            return await work
        except LeaveError as leave:
            return leave.status & 255
        except LoopError:
            return 0
        except ExpansionError as error:
            return self.complain(str(error), status=SYNTAX_STATUS)

    async def _run_exit_trap(self, trap: str, *, status: int) -> int:
        await self.run_script(trap)
        return status

    async def run_node(self, node: Node, streams: Streams) -> int:
        """Run a command; its status is the shell's `$?`."""
        run: Callable[[Any, Streams], Coroutine[Any, Any, int]] = getattr(
            self, f"_run_{type(node).__name__.lower()}"
        )
        self.state.status = await run(node, streams)
        return self.state.status

    async def _run_sequence(self, node: Sequence, streams: Streams) -> int:
        status = 0
        for item, background in node.items:
            if background:
                status = self.state.status = self._start_background(item, streams)
            else:
                status = await self.run_node(item, streams)
        return status

    def _start_background(self, node: Node, streams: Streams) -> int:
        shell = self._fork(streams)
        self.state.background = self.process.machine.add_job(shell.run_forked(node, streams))
        return 0

    def _fork(self, streams: Streams) -> "Shell":
        process = replace(
            self.process,
            stdin=streams.stdin,
            stdout=streams.stdout,
            stderr=streams.stderr,
            depth=self.process.depth + 1,
        )
        return Shell(process, self.state.fork())

    async def _run_pipeline(self, node: Pipeline, streams: Streams) -> int:
        if node.negated:
            self.state.guarded += 1
        try:
            status = await self._run_pipe(node.commands, streams)
        finally:
            if node.negated:
                self.state.guarded -= 1
        return (
            self._check_errexit(int(status == 0), guarded=True)
            if node.negated
            else self._check_errexit(status)
        )

    async def _run_pipe(self, commands: list[Node], streams: Streams) -> int:
        if len(commands) == 1:
            return await self.run_node(commands[0], streams)
        stdin, statuses = streams.stdin, []
        for command in commands[:-1]:
            pipe = BytesSink()
            part = replace(streams, stdin=stdin, stdout=pipe)
            statuses.append(await self._fork(part).run_forked(command, part))
            stdin = BytesSource(pipe.value())
        part = replace(streams, stdin=stdin)
        statuses.append(await self._fork(part).run_forked(commands[-1], part))
        failed = [status for status in statuses if status]
        return (failed[-1] if failed else 0) if "pipefail" in self.state.options else statuses[-1]

    def _check_errexit(self, status: int, *, guarded: bool = False) -> int:
        if status and "e" in self.state.options and not self.state.guarded and not guarded:
            raise LeaveError(status)
        return status

    async def _run_block(self, node: Block, streams: Streams) -> int:
        if node.subshell:
            return self._check_errexit(await self._fork(streams).run_forked(node.body, streams))
        return await self.run_node(node.body, streams)

    async def _run_function(self, node: Function, streams: Streams) -> int:
        self.state.functions[node.name] = node.body
        return 0

    async def _run_redirected(self, node: Redirected, streams: Streams) -> int:
        try:
            inner = await open_redirects(node.redirects, streams, self)
        except FsError as error:
            return self._check_errexit(self._refuse_redirect(error))
        return await self.run_node(node.command, inner)

    def _refuse_redirect(self, error: FsError, *, line: int = 1) -> int:
        return self.complain(str(error), line=line, status=2 if self.state.name == "sh" else 1)

    async def _run_simple(self, node: Simple, streams: Streams) -> int:
        self.state.substituted = 0
        words = [f for word in node.words for f in await self.expander.expand_fields(word)]
        try:
            inner = await open_redirects(node.redirects, streams, self)
        except FsError as error:
            status = self._refuse_redirect(error, line=node.line)
            if self._is_special(words) and self.state.name != "bash":
                raise SpecialBuiltinError(status) from error
            return self._check_errexit(status)
        before = {name: self.state.variables.get(name) for name, _ in node.assigns}
        for name, word in node.assigns:
            self.state.variables[name] = await self.expander.expand_text(word)
        if not words:
            return self._check_errexit(self.state.substituted)
        return self._check_errexit(await self._run_assigned(words, inner, before=before, line=node.line))

    async def _run_assigned(
        self, words: list[str], streams: Streams, *, before: dict[str, str | None], line: int
    ) -> int:
        """Run words with variables that were assigned in front of them and had these values before."""
        stays = self._is_special(words)
        added = set() if stays and words[0] != "exec" else before.keys() - self.state.exported
        self.state.exported |= added
        try:
            return await self.run_words(words, streams, line=line)
        finally:
            self.state.exported -= added
            if not stays:
                self._restore(before)

    def _is_special(self, words: list[str]) -> bool:
        from tests.pvesim.guest.shell.builtins import SPECIAL_BUILTINS

        return bool(words) and words[0] in SPECIAL_BUILTINS and words[0] not in self.state.functions

    async def run_words(self, words: list[str], streams: Streams, *, line: int = 1) -> int:
        """Run a function, builtin or program."""
        from tests.pvesim.guest.shell.builtins import BUILTINS

        if words[0] in self.state.functions:
            return await self._call_function(words, streams)
        if words[0] in BUILTINS:
            return await BUILTINS[words[0]](self, words[1:], streams)
        process = self.make_process(words, streams)
        status = await self.process.machine.spawn(process) if process.depth < MAX_DEPTH else None
        return self._refuse_command(process, line=line) if status is None else status

    def _refuse_command(self, process: Process, *, line: int) -> int:
        name, is_bash = process.argv[0], self.state.name == "bash"
        if "/" in name and process.fs.is_dir(process.path(name)):
            text, status = "Is a directory" if is_bash else "Permission denied", NOT_EXECUTABLE
        else:
            text, status = "command not found" if is_bash else "not found", NOT_KNOWN
        return Shell(process, self.state).complain(f"{name}: {text}", line=line, status=status)

    def make_process(self, words: list[str], streams: Streams) -> Process:
        """The process that these words start."""
        return replace(
            self.process,
            argv=words,
            env=self.state.environment(),
            cwd=self.state.cwd,
            stdin=streams.stdin,
            stdout=streams.stdout,
            stderr=streams.stderr,
            depth=self.process.depth + 1,
        )

    async def _call_function(self, words: list[str], streams: Streams) -> int:
        if self.process.depth > MAX_DEPTH:
            return self.complain(f"{words[0]}: maximum function recursion depth exceeded")
        saved, self.state.arguments = self.state.arguments, words[1:]
        loops, self.state.loops = self.state.loops, self.state.loops if self.state.name == "ash" else 0
        self.process.depth += 1
        self.state.local_values.append({})
        try:
            return await self.run_node(self.state.functions[words[0]], streams)
        except ReturnError as leave:
            return leave.status
        finally:
            self.process.depth -= 1
            self.state.arguments, self.state.loops = saved, loops
            self._restore(self.state.local_values.pop())

    def _restore(self, values: dict[str, str | None]) -> None:
        for name, value in values.items():
            if value is None:
                self.state.variables.pop(name, None)
            else:
                self.state.variables[name] = value

    async def _substitute(self, script: str) -> str:
        sink = BytesSink()
        process = replace(self.process, stdout=sink, depth=self.process.depth + 1)
        self.state.substituted = await Shell(process, self.state.fork()).run_whole(script)
        if self.state.name == "bash":  # dash and BusyBox leave $? until a whole command has run
            self.state.status = self.state.substituted
        return sink.value().replace(b"\0", b"").decode(errors="surrogateescape")
