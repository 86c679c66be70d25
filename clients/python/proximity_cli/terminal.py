"""A terminal that texts of others cannot act on: what they hold of control characters is shown instead of sent."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rich.console import Console, ConsoleDimensions, ConsoleOptions, RenderableType
from rich.segment import Segment

# C0 but tab and line feed, DEL and C1; and what makes text read in another order than it is.
_ACTING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_PICTURES = 0x2400  # ␀; the pictures of C0 follow in its order
_DELETE, _SPACE = 0x7F, 0x20
_WIDEST = 1_000_000  # columns of what is no terminal: more than a row has, so that none is wrapped


def neutralise(text: str) -> str:
    """Replace every character that a terminal would act on by one that it shows: ESC by ␛, those without a picture by �."""
    return _ACTING.sub(_picture, text)


def _picture(found: re.Match[str]) -> str:
    code = ord(found.group())
    if code < _SPACE:
        return chr(_PICTURES + code)
    return "\N{SYMBOL FOR DELETE}" if code == _DELETE else "\N{REPLACEMENT CHARACTER}"


class SafeConsole(Console):
    """A console of rich whose only control sequences are rich's own: colours, and those that move the cursor.

    Nothing is wrapped where the output is no terminal: a program reads each id in one piece.
    """

    @property
    def size(self) -> ConsoleDimensions:
        """Columns and lines."""
        return super().size if self.is_terminal else ConsoleDimensions(_WIDEST, 25)

    @size.setter
    def size(self, new_size: tuple[int, int]) -> None:
        self._width, self._height = new_size

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render as `Console.render`, with the text of every segment neutralised."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(neutralise(segment.text), segment.style)
