"""From a script's text to tokens, with the heredocs that follow a line."""

from dataclasses import dataclass

from tests.pvesim.guest.shell.syntax import IncompleteScriptError, Literal, Redirect, ShellSyntaxError, Word
from tests.pvesim.guest.shell.words import WordReader, parse_body

OPERATORS = ("<<-", "&&", "||", ";;", ">>", "<<", ">&", "<&", "&>", ">|", ";", "&", "|", "(", ")", "<", ">")


@dataclass(frozen=True, slots=True)
class Token:
    """An operator, a word, a newline or the end, from `start` to `end` in the text."""

    kind: str
    start: int
    end: int
    text: str = ""
    word: Word | None = None

    def shown(self) -> str:
        return {"newline": "newline", "end": "end of file"}.get(self.kind, self.text)


class Tokens:
    """Reads a script's tokens from a position on, one ahead."""

    def __init__(self, text: str, at: int = 0) -> None:
        self.text = text
        self.at = at
        self._token: Token | None = None
        self._heredocs: list[tuple[Redirect, str, bool]] = []

    def line(self) -> int:
        at = self._token.start if self._token else self.at
        return self.text.count("\n", 0, at) + 1

    def _peek(self) -> Token:
        if self._token is None:
            self._token = self._read_token()
        return self._token

    def _take(self) -> Token:
        token = self._peek()
        self._token, self.at = None, token.end
        if token.kind == "newline" and self._heredocs:
            self._read_heredocs()
        return token

    def _read_token(self) -> Token:
        at = self._skip_blanks(self.at)
        if at >= len(self.text):
            return Token("end", at, at)
        if self.text[at] == "\n":
            return Token("newline", at, at + 1)
        operator = next((op for op in OPERATORS if self.text.startswith(op, at)), None)
        if operator:
            return Token("operator", at, at + len(operator), text=operator)
        reader = WordReader(self.text, at)
        word = reader.read_word()
        return Token("word", at, reader.at, text=word.bare() or self.text[at : reader.at], word=word)

    def _skip_blanks(self, at: int) -> int:
        while at < len(self.text):
            if self.text.startswith("\\\n", at):
                at += 2
            elif self.text[at] in " \t\r":
                at += 1
            elif self.text[at] == "#":
                end = self.text.find("\n", at)
                return len(self.text) if end < 0 else end
            else:
                break
        return at

    def _skip_newlines(self) -> None:
        while self._peek().kind == "newline":
            self._take()

    def _is_word(self, *texts: str) -> bool:
        token = self._peek()
        return token.kind == "word" and token.word is not None and token.word.bare() in texts

    def _is_operator(self, *texts: str) -> bool:
        return self._peek().kind == "operator" and self._peek().text in texts

    def _expect(self, text: str) -> None:
        token = self._peek()
        if token.kind == "end":
            raise IncompleteScriptError(f'end of file unexpected (expecting "{text}")')
        if token.text != text:
            raise self._unexpected()
        self._take()

    def _unexpected(self) -> ShellSyntaxError:
        token = self._peek()
        if token.kind == "end":
            return IncompleteScriptError("end of file unexpected")
        shown = token.shown() if token.kind == "newline" else f'"{token.shown()}"'
        return ShellSyntaxError(f"{shown} unexpected")

    def _read_heredocs(self) -> None:
        for redirect, delimiter, quoted in self._heredocs:
            body = self._read_heredoc(delimiter, strip=redirect.op == "<<-")
            redirect.target = Word((Literal(body, quoted=True),)) if quoted else parse_body(body)
        self._heredocs.clear()

    def _read_heredoc(self, delimiter: str, *, strip: bool) -> str:
        lines: list[str] = []
        while self.at < len(self.text):
            end = self.text.find("\n", self.at)
            line = self.text[self.at : end if end >= 0 else len(self.text)]
            self.at = end + 1 if end >= 0 else len(self.text)
            shown = line.lstrip("\t") if strip else line
            if shown == delimiter:
                return "".join(lines)
            lines.append(shown + "\n")
        error = IncompleteScriptError(f"here-document delimited by end-of-file (wanted {delimiter!r})")
        error.delimiter = delimiter
        raise error

    def _check_heredocs(self) -> None:
        if self._heredocs:
            raise IncompleteScriptError("here-document without a body")
