"""Field splitting: expanded words into arguments, lines into the variables of `read`."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

BLANK = " \t\n"
"""The characters of IFS that count as one separator however many of them follow each other."""


@dataclass(slots=True)
class Segment:
    """A piece of a word after expansion."""

    text: str
    quoted: bool
    split: bool = False
    breaks: bool = False
    """A new field begins before it (the elements of "$@")."""
    joint: str = " "
    """What stands before it instead where words are not split."""


@dataclass(slots=True)
class Field:
    text: str = ""
    pattern: str = ""
    globs: bool = False

    def add(self, text: str, *, quoted: bool) -> None:
        self.text += text
        self.pattern += re.sub(r"([*?\[\]])", r"[\1]", text) if quoted else text
        self.globs = self.globs or (not quoted and any(c in text for c in "*?["))


def split_fields(segments: Iterable[Segment], separators: str) -> list[Field]:
    """The fields of a word; only text that came out of an expansion without quotes is split."""
    splitter = _Splitter(separators)
    for segment in segments:
        if segment.breaks:
            splitter.end(empty=segment.quoted)
        if segment.split:
            splitter.split(segment.text)
        elif segment.text or segment.quoted:
            splitter.add(segment.text, quoted=segment.quoted)
    splitter.end()
    return splitter.fields


@dataclass(slots=True)
class _Splitter:
    separators: str
    fields: list[Field] = field(default_factory=list)
    _current: Field | None = None
    _after_blank: bool = False
    """Blanks have ended a field: a separator that is not blank and follows belongs to them."""

    def add(self, text: str, *, quoted: bool) -> None:
        self._current = self._current or Field()
        self._current.add(text, quoted=quoted)

    def end(self, *, empty: bool = False) -> None:
        """End the field, which is none when it has no text, unless empty ones count."""
        if self._current or empty:
            self.fields.append(self._current or Field())
        self._current, self._after_blank = None, False

    def split(self, text: str) -> None:
        for char in text:
            if char not in self.separators:
                self.add(char, quoted=False)
            elif char in BLANK:
                had_field = self._current is not None
                after_blank = self._after_blank
                self.end()
                self._after_blank = had_field or after_blank
            else:
                self.end(empty=not self._after_blank)


def ends_escaped(line: bytes) -> bool:
    """Whether a line ends with a backslash that no other one escapes."""
    text = line.removesuffix(b"\n")
    return line.endswith(b"\n") and (len(text) - len(text.rstrip(b"\\"))) % 2 == 1


def split_line(text: str, separators: str, *, count: int, is_raw: bool) -> list[str]:
    """So many values of a line, as `read` takes them: the last one is the rest of the line."""
    chars, kinds = _classify(text, separators, is_raw=is_raw)
    at = len(kinds) - len(kinds.lstrip("b"))
    values: list[str] = []
    while len(values) < count - 1:
        end = _FIELD.match(kinds, at)
        assert end is not None
        values.append(chars[at : end.end(1)])
        at = end.end()
    last = _FIELD.fullmatch(kinds, at)
    return [*values, chars[at : last.end(1) if last else len(kinds.rstrip("b"))]]


_FIELD = re.compile(r"(x*)b*s?b*")


def _classify(text: str, separators: str, *, is_raw: bool) -> tuple[str, str]:
    """The characters of a line, and of which kind each is: a (b)lank, another (s)eparator, or none (x)."""
    chars, kinds, escaped = "", "", False
    for char in text:
        if char == "\\" and not is_raw and not escaped:
            escaped = True
            continue
        chars += char
        kinds += "x" if escaped or char not in separators else "b" if char in BLANK else "s"
        escaped = False
    return chars, kinds
