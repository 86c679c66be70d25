"""The grammar of the shell: from text to commands, one complete command at a time."""

import re

from tests.pvesim.guest.shell.syntax import (
    AndOr,
    Block,
    Case,
    For,
    Function,
    If,
    IncompleteScriptError,
    Literal,
    Node,
    Pipeline,
    Redirect,
    Redirected,
    Sequence,
    ShellSyntaxError,
    Simple,
    While,
    Word,
)
from tests.pvesim.guest.shell.tokens import Tokens
from tests.pvesim.guest.shell.words import NAME

REDIRECTS = frozenset({"<", ">", ">>", ">|", "<<", "<<-", ">&", "<&", "&>"})
CLOSERS = frozenset({"then", "else", "elif", "fi", "do", "done", "esac", "}"})
ASSIGN = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=")


class Parser(Tokens):
    """Parses a script from a position on."""

    def parse_next(self) -> Node | None:
        """The next complete command (to the end of its line), or None at the end of the script.

        Raises:
            IncompleteScriptError: the script ends inside it.
            ShellSyntaxError: the grammar forbids it.
        """
        self._skip_newlines()
        if self._peek().kind == "end":
            return None
        node = self._parse_items(stop_at_newline=True)
        if self._peek().kind not in ("newline", "end"):
            raise self._unexpected()
        if self._peek().kind == "newline":
            self._take()
        self._check_heredocs()
        return node

    def parse_list(self, *, until: tuple[str, ...], may_be_empty: bool = False) -> Node:
        """Commands up to one of the closing words, which stays the next token."""
        self._skip_newlines()
        is_empty = self._at_end_of_list()
        node = self._parse_items(stop_at_newline=False)
        if self._peek().kind == "end":
            raise IncompleteScriptError(f'end of file unexpected (expecting "{until[0]}")')
        if self._peek().text not in until or (is_empty and not may_be_empty):
            raise self._unexpected()
        return node

    def end_of_group(self) -> int:
        """The position behind the closing word that `parse_list` stopped at."""
        return self._peek().end

    # Lists and pipelines

    def _parse_items(self, *, stop_at_newline: bool) -> Node:
        items: list[tuple[Node, bool]] = []
        while not self._at_end_of_list():
            node = self._parse_and_or()
            background = self._is_operator("&")
            items.append((node, background))
            if not background and not self._is_operator(";") and self._peek().kind != "newline":
                break
            if stop_at_newline and self._peek().kind == "newline":
                break
            self._take()
            if not stop_at_newline:
                self._skip_newlines()
        return items[0][0] if len(items) == 1 and not items[0][1] else Sequence(items)

    def _at_end_of_list(self) -> bool:
        token = self._peek()
        if token.kind in ("end", "newline"):
            return True
        return self._is_operator(")", ";;", ";", "&", "&&", "||", "|") or self._is_word(*CLOSERS)

    def _parse_and_or(self) -> Node:
        first = self._parse_pipeline()
        rest: list[tuple[str, Node]] = []
        while self._is_operator("&&", "||"):
            operator = self._take().text
            self._skip_newlines()
            rest.append((operator, self._parse_pipeline()))
        return AndOr(first, rest) if rest else first

    def _parse_pipeline(self) -> Node:
        negated = False
        while self._is_word("!"):
            self._take()
            negated = not negated
        commands = [self._parse_command()]
        while self._is_operator("|"):
            self._take()
            self._skip_newlines()
            commands.append(self._parse_command())
        return Pipeline(commands, negated) if negated or len(commands) > 1 else commands[0]

    def _parse_command(self) -> Node:
        compound = self._parse_compound()
        if compound is None:
            return self._parse_simple()
        redirects: list[Redirect] = []
        while self._at_redirect():
            redirects.append(self._parse_redirect())
        return Redirected(compound, redirects) if redirects else compound

    def _parse_compound(self) -> Node | None:
        if self._is_operator("("):
            self._take()
            body = self.parse_list(until=(")",))
            self._take()
            return Block(body, subshell=True)
        token = self._peek()
        bare = token.word.bare() if token.word else None
        parse = {
            "if": self._parse_if,
            "for": self._parse_for,
            "while": self._parse_while,
            "until": self._parse_while,
            "case": self._parse_case,
            "{": self._parse_braces,
            "function": self._parse_function,
        }.get(bare or "")
        if parse:
            return parse()
        if bare and NAME.fullmatch(bare) and re.compile(r"[ \t]*\([ \t]*\)").match(self.text, token.end):
            return self._parse_function()
        return None

    # Compound commands

    def _parse_if(self) -> Node:
        branches: list[tuple[Node, Node]] = []
        otherwise = None
        while self._is_word("if", "elif"):
            self._take()
            condition = self._parse_part("then")
            branches.append((condition, self.parse_list(until=("elif", "else", "fi"))))
        if self._is_word("else"):
            self._take()
            otherwise = self.parse_list(until=("fi",))
        self._expect("fi")
        return If(branches, otherwise)

    def _parse_part(self, closer: str) -> Node:
        part = self.parse_list(until=(closer,))
        self._take()
        return part

    def _parse_for(self) -> Node:
        self._take()
        name = self._take_word().bare() or ""
        if not NAME.fullmatch(name):
            raise ShellSyntaxError("Bad for loop variable")
        self._skip_newlines()
        words: list[Word] | None = None
        if self._is_word("in"):
            self._take()
            words = []
            while self._peek().kind == "word":
                words.append(self._take_word())
        if self._is_operator(";"):
            self._take()
        self._skip_newlines()
        self._expect("do")
        return For(name, words, self._parse_part("done"))

    def _parse_while(self) -> Node:
        until = self._take().text == "until"
        condition = self._parse_part("do")
        return While(condition, self._parse_part("done"), until)

    def _parse_case(self) -> Node:
        self._take()
        subject = self._take_word()
        self._skip_newlines()
        self._expect("in")
        self._skip_newlines()
        branches: list[tuple[list[Word], Node]] = []
        while not self._is_word("esac"):
            branches.append(self._parse_case_branch())
            self._skip_newlines()
        self._take()
        return Case(subject, branches)

    def _parse_case_branch(self) -> tuple[list[Word], Node]:
        if self._is_operator("("):
            self._take()
        patterns = [self._take_word()]
        while self._is_operator("|"):
            self._take()
            patterns.append(self._take_word())
        self._expect(")")
        body = self.parse_list(until=(";;", "esac"), may_be_empty=True)
        if self._is_operator(";;"):
            self._take()
        return patterns, body

    def _parse_braces(self) -> Node:
        self._take()
        return Block(self._parse_part("}"), subshell=False)

    def _parse_function(self) -> Node:
        if self._is_word("function"):
            self._take()
        name = self._take_word().bare() or ""
        if self._is_operator("("):
            self._take()
            self._expect(")")
        self._skip_newlines()
        return Function(name, self._parse_command())

    # Simple commands

    def _take_word(self) -> Word:
        token = self._peek()
        if token.kind != "word" or token.word is None:
            raise self._unexpected()
        self._take()
        return token.word

    def _parse_simple(self) -> Node:
        command = Simple(self.line())
        while True:
            if self._at_redirect():
                command.redirects.append(self._parse_redirect())
            elif self._peek().kind == "word":
                self._add_word(command, self._take_word())
            else:
                break
        if not (command.assigns or command.words or command.redirects):
            raise self._unexpected()
        return command

    def _add_word(self, command: Simple, word: Word) -> None:
        first = word.parts[0] if word.parts else None
        match = ASSIGN.match(first.text) if isinstance(first, Literal) and not first.quoted else None
        if match and isinstance(first, Literal) and not command.words:
            rest = Literal(first.text[match.end() :])
            command.assigns.append((match.group(1), Word((rest, *word.parts[1:]))))
        else:
            command.words.append(word)

    def _at_redirect(self) -> bool:
        if self._is_operator(*REDIRECTS):
            return True
        token = self._peek()
        number = token.word.bare() if token.word else None
        return bool(number and number.isdigit() and self.text[token.end : token.end + 1] in ("<", ">"))

    def _parse_redirect(self) -> Redirect:
        number = int(self._take().text) if self._peek().kind == "word" else None
        operator = self._take().text
        target = self._take_word()
        fd = number if number is not None else (0 if operator[0] == "<" else 1)
        redirect = Redirect(fd, operator, target)
        if operator in ("<<", "<<-"):
            self._heredocs.append((redirect, _delimiter(target), _is_quoted(target)))
        return redirect


def _delimiter(word: Word) -> str:
    return "".join(part.text for part in word.parts if isinstance(part, Literal))


def _is_quoted(word: Word) -> bool:
    return any(isinstance(part, Literal) and part.quoted for part in word.parts)
