"""The shell does what sh does."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pvesim.guest import Guest, World
from tests.pvesim.guest.machine import COMMANDS
from tests.pvesim.guest.shell.parser import Parser
from tests.pvesim.guest.shell.syntax import IncompleteScriptError, ShellSyntaxError
from tests.unit.pvesim_guest.conftest import ALPINE, DEBIAN, make_guest, run_script

SCRIPTS = [
    ("echo one two", "one two\n"),
    ("printf '%s-%d\\n' a 1 b 2", "a-1\nb-2\n"),
    ("x='a  b'; echo $x; echo \"$x\"", "a b\na  b\n"),
    ("false; echo $?", "1\n"),
    ("true && echo yes || echo no", "yes\n"),
    ("false && echo yes || echo no", "no\n"),
    ("if [ -d /etc ]; then echo dir; elif true; then echo t; else echo e; fi", "dir\n"),
    ("for i in 1 2 3; do [ $i = 2 ] && continue; echo $i; done", "1\n3\n"),
    ("i=0; while [ $i -lt 3 ]; do i=$((i+1)); done; echo $i", "3\n"),
    ("until true; do echo never; done; echo end", "end\n"),
    ("case abc.yml in *.yaml|*.yml) echo yaml;; *) echo other;; esac", "yaml\n"),
    ('f() { echo "got $1 of $#"; return 3; }; f a b; echo $?', "got a of 2\n3\n"),
    ("f() { local x=1; x=2; echo $x; }; x=0; f; echo $x", "2\n0\n"),
    ("cat <<EOF\nhi $HOME\nEOF", "hi /root\n"),
    ("cat <<'EOF'\nhi $HOME\nEOF", "hi $HOME\n"),
    ("cat <<-EOF\n\tindented\n\tEOF\necho after", "indented\nafter\n"),
    ("echo $(echo a; echo b) `echo c`", "a b c\n"),
    ("echo a > /tmp/x; echo b >> /tmp/x; cat < /tmp/x | wc -l", "2\n"),
    ("(cd /tmp; pwd_=1; echo in); echo ${pwd_:-unset}", "in\nunset\n"),
    ("ls /nope 2>/dev/null; echo $?", "2\n"),
    ("ls /nope 2>&1 | grep -c 'No such file'", "1\n"),
    ("x=/a/b.tar.gz; echo ${x##*/} ${x%.*} ${x%%.*} ${x#/a} ${#x}", "b.tar.gz /a/b.tar /a/b /b.tar.gz 11\n"),
    ("echo ${A:-d} ${A:=e} $A ${A:+set}", "d e e set\n"),
    ("A=1 sh -c 'echo $A'; echo ${A:-none}", "1\nnone\n"),
    ("set -- x 'y z'; for a in \"$@\"; do echo \"<$a>\"; done; shift; echo $#", "<x>\n<y z>\n1\n"),
    ("printf 'a b\\nc d\\n' | while read x y; do echo \"$y$x\"; done", "ba\ndc\n"),
    ("echo hi | base64 | base64 -d", "hi\n"),
    ("printf 'abc' | sha256sum", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  -\n"),
    ("touch /tmp/a1 /tmp/a2; cd /tmp; echo a*; echo 'a*'; echo b*", "a1 a2\na*\nb*\n"),
    ("trap 'echo bye' EXIT; echo hi; exit 4", "hi\nbye\n"),
    ("! false && echo inverted", "inverted\n"),
    ("{ echo a; echo b; } | tail -n 1", "b\n"),
    ("echo '# no comment' # comment", "# no comment\n"),
    ("set -e; if false; then :; fi; false || echo kept; echo end", "kept\nend\n"),
    ("sleep 5 & wait; echo done", "done\n"),
    ("eval 'echo $((2 * (3 + 4) % 5))'", "4\n"),
    ("command -v cat; command -v nothing || echo missing", "/bin/cat\nmissing\n"),
    ("printf 'x=1\\ny=2\\n' | sed -n 's/^y=//p;2p' | head -n1", "2\n"),
    ("dd if=/dev/zero of=/tmp/z bs=1k count=3 2>/dev/null; stat -c %s /tmp/z", "3072\n"),
    ("mkdir -p /a/b && cp -r /a /c && mv /c/b /c/d && ls /c && rm -rf /a /c && test ! -e /a && echo gone", "d\ngone\n"),
    ("install -D -m 600 /etc/hostname /x/y && stat -c '%a %n' /x/y", "600 /x/y\n"),
    ("tar -C /etc -czf /tmp/t.tgz hostname && mkdir /u && tar -xzf /tmp/t.tgz -C /u && cat /u/hostname", "ct1\n"),
    ("echo 'a\\nb'; echo -e x", "a\nb\n-e x\n"),
    ("bash -c \"echo 'a\\\\nb'; echo -e 'x\\\\ty'\"", "a\\nb\nx\ty\n"),
    ("bash -eo pipefail -c 'false | true; echo never'; echo $?", "1\n"),
    ("printf 'c 1\\nb 2\\na 3\\n' | sort | awk '{print $2}' | tr '\\n' ,", "3,2,1,"),
    ("printf 'a:b:c\\n' | cut -d: -f2,3; seq 2 4 | xargs", "b:c\n2 3 4\n"),
    ("timeout 5 echo fine; env X=1 sh -c 'echo $X'", "fine\n1\n"),
]  # fmt: skip


@pytest.mark.parametrize(("script", "wanted"), SCRIPTS)
async def test_scripts_print_what_sh_prints(script: str, wanted: str, debian: Guest, world: World) -> None:
    done = await run_script(debian, script, world=world)
    assert (done.stdout.decode(), done.stderr.decode()) == (wanted, "")


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("exit 7", 7),
        ("set -e; false; echo never", 1),
        ("set -e; (exit 5); echo never", 5),
        ("set -eu; echo $NOT_SET", 2),
        ("nothing-like-it", 127),
        ("echo > /no/dir/file", 2),
        ("false | true", 0),
        ("set -o pipefail; true", 2),
        ("echo ${X:?is needed}", 2),
        ("if true; then", 2),
        ("cat /nope", 1),
    ],
)
async def test_scripts_end_with_the_code_of_sh(script: str, code: int, debian: Guest, world: World) -> None:
    assert (await run_script(debian, script, world=world)).exit_code == code


async def test_pipefail_is_known_to_bash(debian: Guest, world: World) -> None:
    done = await debian.run(["bash", "-c", "set -euo pipefail; false | true; echo never"], world=world)
    assert (done.exit_code, done.stdout) == (1, b"")


async def test_a_missing_command_is_named_in_each_shells_words(
    debian: Guest, alpine: Guest, world: World
) -> None:
    assert (await run_script(debian, "foo", world=world)).stderr == b"sh: 1: foo: not found\n"
    assert (await run_script(alpine, "foo", world=world)).stderr == b"sh: foo: not found\n"
    assert (
        await debian.run(["bash", "-c", "foo"], world=world)
    ).stderr == b"bash: line 1: foo: command not found\n"
    done = await debian.run(["foo"], world=world)
    assert done.exit_code == 127
    assert b'Failed to exec "foo"' in done.stderr


async def test_commands_before_a_syntax_error_have_run(debian: Guest, world: World) -> None:
    done = await run_script(debian, "echo first\necho )\n", world=world)
    assert done.exit_code == 2
    assert done.stdout == b"first\n"
    assert b"unexpected" in done.stderr


async def test_words_without_a_shell_are_not_interpreted(debian: Guest, world: World) -> None:
    done = await debian.run(["echo", "$HOME; rm -rf /", "`id`"], world=world)
    assert done.stdout == b"$HOME; rm -rf / `id`\n"


async def test_stdin_reaches_the_command(debian: Guest, world: World) -> None:
    await run_script(debian, "cat > /root/in && chmod 600 /root/in", stdin=b"\0\xffbinary", world=world)
    assert debian.fs.read("/root/in") == b"\0\xffbinary"
    assert debian.fs.get("/root/in").mode == 0o600


async def test_an_executable_script_runs_by_its_interpreter(debian: Guest, world: World) -> None:
    script = "printf '#!/bin/sh\\necho ran $1\\n' > /usr/local/bin/mine; mine a; chmod +x /usr/local/bin/mine; mine b"
    done = await run_script(debian, script, world=world)
    assert done.stdout == b"ran b\n"


async def test_every_command_is_recorded(debian: Guest, world: World) -> None:
    await debian.run(["echo", "a b"], world=world)
    assert world.recorded("c1/105")[-1]["argv"] == ["echo", "a b"]
    assert world.recorded("c1/105")[-1]["raw"] == "echo 'a b'"


async def test_an_endless_loop_ends(debian: Guest, world: World) -> None:
    done = await run_script(debian, "f() { f; }; f; echo $?", world=world)
    assert b"recursion" in done.stderr


WORDS = ["-", "-x", "-n", "-c", "-i", "-f", "--", "--format", "{{.X}}", "/etc/hostname", "/etc", "/none", "a", "1", "up", "ps", "ls",
         "config", "compose", "run", "install", "add", "start", "docker", "s/a/b/", "{print $1}", "", "http://localhost/", "[", "\\(", "="]  # fmt: skip
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=60)


@given(st.lists(TEXT, max_size=5))
async def test_quoted_words_arrive_as_they_were(words: list[str]) -> None:
    world = World()
    guest = make_guest(DEBIAN, world=world)
    done = await run_script(guest, f"printf '%s\\n' {shlex.join(['-', *words])}", world=world)
    assert done.stdout.decode() == "".join(f"{word}\n" for word in ["-", *words])
    assert done.exit_code == 0


@given(st.text("abc$`\"'\\(){}|&;<> \n#=!*?[]~-019", max_size=40))
def test_any_text_parses_or_is_refused(text: str) -> None:
    parser = Parser(text)
    try:
        for _ in range(len(text) + 1):
            if parser.parse_next() is None:
                return
    except ShellSyntaxError:
        return
    raise AssertionError(f"no progress in {text!r}")


@given(st.text("abc$`\"'\\(){}|&;<> \n#=!*?[]~-019", max_size=30))
async def test_any_script_runs_to_an_end(text: str) -> None:
    world = World()
    guest = make_guest(DEBIAN, world=world)
    done = await run_script(guest, text, world=world)
    assert 0 <= done.exit_code <= 255


@given(
    st.sampled_from(sorted(COMMANDS)), st.lists(st.sampled_from(WORDS), max_size=4), st.binary(max_size=20)
)
async def test_any_command_with_any_words_ends_with_a_code(name: str, words: list[str], stdin: bytes) -> None:
    world = World(faults=[])
    for template in (DEBIAN, ALPINE):
        guest = make_guest(template, world=world)
        guest.packages.update(("docker.io", "docker-compose-plugin", "curl", "net-tools", "iproute2"))
        done = await guest.run([name, *words], world=world, stdin=stdin)
        assert 0 <= done.exit_code <= 255


@given(TEXT)
async def test_a_quoted_heredoc_keeps_its_text(text: str) -> None:
    world = World()
    guest = make_guest(DEBIAN, world=world)
    lines = "".join(f"x{line}\n" for line in text.split("\n"))
    done = await run_script(guest, f"cat <<'END-OF-IT'\n{lines}END-OF-IT\n", world=world)
    assert done.stdout.decode() == lines


@pytest.mark.parametrize(
    "script",
    ["if true", "echo 'a", 'echo "a', "for x in 1; do", "cat <<E\nx\n", "a &&", "{ a;", "x=$(a", "a |"],
)
def test_unfinished_scripts_ask_for_more(script: str) -> None:
    with pytest.raises(IncompleteScriptError):
        parse_all(script + "\n")


def parse_all(script: str) -> None:
    parser = Parser(script)
    while parser.parse_next() is not None:
        pass
