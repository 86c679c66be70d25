"""Lists, branches and loops of scripts."""

import asyncio
import fnmatch
from abc import ABC, abstractmethod
from collections.abc import Awaitable

from tests.pvesim.guest.shell.expansion import Expander
from tests.pvesim.guest.shell.redirects import Streams
from tests.pvesim.guest.shell.state import LoopError, State
from tests.pvesim.guest.shell.syntax import (
    AndOr,
    Case,
    For,
    If,
    Node,
    While,
)

MAX_TURNS = 100_000


class ControlFlow(ABC):
    """Commands that run other commands."""

    state: State

    @property
    @abstractmethod
    def expander(self) -> Expander:
        """What expands words."""

    @abstractmethod
    def complain(self, text: str, *, line: int = 1, status: int = 1) -> int:
        """Print an error message, and return the status."""

    @abstractmethod
    async def run_node(self, node: Node, streams: Streams) -> int:
        """Run a command."""

    async def _run_andor(self, node: AndOr, streams: Streams) -> int:
        parts = [("", node.first), *node.rest]
        status = 0
        for index, (operator, part) in enumerate(parts):
            if (operator == "&&" and status) or (operator == "||" and not status):
                continue
            last = index == len(parts) - 1
            status = await (self.run_node(part, streams) if last else self._run_guarded(part, streams))
        return status

    async def _run_guarded(self, node: Node, streams: Streams) -> int:
        self.state.guarded += 1
        try:
            return await self.run_node(node, streams)
        finally:
            self.state.guarded -= 1

    async def _run_if(self, node: If, streams: Streams) -> int:
        for condition, body in node.branches:
            if await self._run_guarded(condition, streams) == 0:
                return await self.run_node(body, streams)
        return await self.run_node(node.otherwise, streams) if node.otherwise else 0

    async def _run_for(self, node: For, streams: Streams) -> int:
        words = self.state.arguments
        if node.words is not None:
            words = [f for word in node.words for f in await self.expander.expand_fields(word)]
        status = 0
        for value in list(words):
            self.state.variables[node.name] = value
            turned, leave = await self._run_turn(self.run_node(node.body, streams))
            status = turned or 0
            if leave:
                break
        return status

    async def _run_turn(self, turn: Awaitable[int | None]) -> tuple[int | None, bool]:
        """The status of a turn of a loop (None: there was none), and whether `break` ends the loop."""
        self.state.loops += 1
        try:
            return await turn, False
        except LoopError as loop:
            if loop.levels > 1:
                raise LoopError(loop.levels - 1, again=loop.again) from loop
            return 0, not loop.again
        finally:
            self.state.loops -= 1

    async def _run_while(self, node: While, streams: Streams) -> int:
        status = 0
        for _ in range(MAX_TURNS):
            turned, leave = await self._run_turn(self._run_while_turn(node, streams))
            if turned is None:
                return status
            status = turned
            if leave:
                return status
            await asyncio.sleep(0)
        return self.complain(f"loop did not end within {MAX_TURNS} turns")

    async def _run_while_turn(self, node: While, streams: Streams) -> int | None:
        """Run a turn of a loop; None when its condition ends it."""
        if (await self._run_guarded(node.condition, streams) == 0) == node.until:
            return None
        return await self.run_node(node.body, streams)

    async def _run_case(self, node: Case, streams: Streams) -> int:
        subject = await self.expander.expand_text(node.subject)
        for patterns, body in node.branches:
            for pattern in patterns:
                if fnmatch.fnmatchcase(subject, await self.expander.expand_pattern(pattern)):
                    return await self.run_node(body, streams)
        return 0
