"""Reading words: quotes, parameters, substitutions."""

import re

from tests.pvesim.guest.shell.syntax import (
    Arithmetic,
    IncompleteScriptError,
    Literal,
    Param,
    Part,
    ShellSyntaxError,
    Substitution,
    Word,
)

META = frozenset(" \t\n;&|<>()")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
SPECIAL = "?$!#@*-0123456789"
OPERATORS = (":-", ":=", ":?", ":+", "##", "%%", "-", "=", "?", "+", "#", "%")


class WordReader:
    """Reads words from a script at a position that it moves on."""

    def __init__(self, text: str, at: int = 0) -> None:
        self.text = text
        self.at = at

    def read_word(self) -> Word:
        """The word at the position, up to an unquoted metacharacter."""
        parts: list[Part] = []
        while self.at < len(self.text) and self.text[self.at] not in META:
            self._read_part(parts, quoted=False)
        return Word(_join(parts))

    def _read_part(self, parts: list[Part], *, quoted: bool) -> None:
        char = self.text[self.at]
        if char == "'" and not quoted:
            parts.append(Literal(self._read_single(), quoted=True))
        elif char == '"' and not quoted:
            parts.extend(self._read_double())
        elif char == "\\":
            self._read_escape(parts, quoted=quoted)
        elif char == "$":
            parts.append(self._read_dollar(quoted=quoted))
        elif char == "`":
            parts.append(Substitution(self._read_backquoted(), quoted=quoted))
        else:
            parts.append(Literal(char, quoted=quoted))
            self.at += 1

    def _read_single(self) -> str:
        end = self.text.find("'", self.at + 1)
        if end < 0:
            raise IncompleteScriptError("Unterminated quoted string")
        start, self.at = self.at + 1, end + 1
        return self.text[start:end]

    def _read_double(self) -> tuple[Part, ...]:
        self.at += 1
        parts: list[Part] = []
        while not self._at_char('"'):
            self._read_part(parts, quoted=True)
        self.at += 1
        return _join(parts) or (Literal("", quoted=True),)

    def _at_char(self, wanted: str) -> bool:
        if self.at >= len(self.text):
            raise IncompleteScriptError("Unterminated quoted string")
        return self.text[self.at] == wanted

    def _read_escape(self, parts: list[Part], *, quoted: bool) -> None:
        if self.at + 1 >= len(self.text):
            if quoted:
                raise IncompleteScriptError("Unterminated quoted string")
            parts.append(Literal("\\", quoted=True))
            self.at += 1
            return
        following = self.text[self.at + 1]
        self.at += 2
        if following == "\n":
            return
        keep = quoted and following not in '$`"\\'
        parts.append(Literal(f"\\{following}" if keep else following, quoted=True))

    def _read_backquoted(self) -> str:
        end = self.at + 1
        while end < len(self.text) and self.text[end] != "`":
            end += 2 if self.text[end] == "\\" else 1
        if end >= len(self.text):
            raise IncompleteScriptError("EOF in backquote substitution")
        script, self.at = self.text[self.at + 1 : end], end + 1
        return re.sub(r"\\([`\\$])", r"\1", script)

    def _read_dollar(self, *, quoted: bool) -> Part:
        rest = self.text[self.at + 1 : self.at + 3]
        if rest == "((":
            return self._read_arithmetic(quoted=quoted)
        if rest[:1] == "(":
            return Substitution(self._read_substitution(), quoted=quoted)
        if rest[:1] == "{":
            return self._read_braced(quoted=quoted)
        return self._read_plain_param(quoted=quoted)

    def _read_plain_param(self, *, quoted: bool) -> Part:
        match = NAME.match(self.text, self.at + 1)
        if match:
            self.at = match.end()
            return Param(match.group(), quoted=quoted)
        if self.text[self.at + 1 : self.at + 2] and self.text[self.at + 1] in SPECIAL:
            self.at += 2
            return Param(self.text[self.at - 1], quoted=quoted)
        self.at += 1
        return Literal("$", quoted=True)

    def _read_substitution(self) -> str:
        from tests.pvesim.guest.shell.parser import Parser

        inner = Parser(self.text, self.at + 2)
        inner.parse_list(until=(")",), may_be_empty=True)
        start, self.at = self.at + 2, inner.end_of_group()
        return self.text[start : self.at - 1]

    def _read_arithmetic(self, *, quoted: bool) -> Part:
        depth, end = 2, self.at + 3
        while end < len(self.text) and depth:
            depth += {"(": 1, ")": -1}.get(self.text[end], 0)
            end += 1
        if depth:
            raise IncompleteScriptError("Missing '))'")
        expression = self.text[self.at + 3 : end - 2]
        self.at = end
        return Arithmetic(parse_body(expression), quoted=quoted)

    def _read_braced(self, *, quoted: bool) -> Part:
        self.at += 2
        if self.text[self.at : self.at + 1] == "#" and self.text[self.at + 1 : self.at + 2] not in ("}", ""):
            self.at += 1
            name = self._read_param_name()
            self._expect_brace()
            return Param(name, op="len", quoted=quoted)
        name = self._read_param_name()
        op = next((o for o in OPERATORS if self.text.startswith(o, self.at)), "")
        self.at += len(op)
        is_pattern = op[-1:] in ("#", "%")  # quotes around the expansion do not quote its pattern
        argument = self._read_argument(quoted=quoted and not is_pattern) if op else None
        self._expect_brace()
        return Param(name, op=op, argument=argument, quoted=quoted)

    def _read_param_name(self) -> str:
        if self.at >= len(self.text):
            raise IncompleteScriptError("Missing '}'")
        match = NAME.match(self.text, self.at) or re.compile(r"[0-9]+|[?$!#@*-]").match(self.text, self.at)
        if not match:
            raise ShellSyntaxError("Bad substitution")
        self.at = match.end()
        return match.group()

    def _read_argument(self, *, quoted: bool) -> Word:
        parts: list[Part] = []
        while self.at < len(self.text) and self.text[self.at] != "}":
            if quoted and self.text[self.at] == '"':
                parts.extend(self._read_double())
            else:
                self._read_part(parts, quoted=quoted)
        return Word(_join(parts))

    def _expect_brace(self) -> None:
        if self.at >= len(self.text):
            raise IncompleteScriptError("Missing '}'")
        if self.text[self.at] != "}":
            raise ShellSyntaxError("Bad substitution")
        self.at += 1

    def read_body(self) -> Word:
        """The rest of the text as inside double quotes, with `"` itself being ordinary."""
        parts: list[Part] = []
        while self.at < len(self.text):
            if self.text[self.at] == "\\" and self.text[self.at + 1 : self.at + 2] == '"':
                parts.append(Literal('\\"', quoted=True))
                self.at += 2
            else:
                self._read_part(parts, quoted=True)
        return Word(_join(parts))


def parse_body(text: str) -> Word:
    """A heredoc's body (or an arithmetic expression) with its expansions."""
    return WordReader(text).read_body()


def _join(parts: list[Part]) -> tuple[Part, ...]:
    joined: list[Part] = []
    for part in parts:
        last = joined[-1] if joined else None
        if isinstance(part, Literal) and isinstance(last, Literal) and last.quoted == part.quoted:
            joined[-1] = Literal(last.text + part.text, quoted=part.quoted)
        else:
            joined.append(part)
    return tuple(joined)
