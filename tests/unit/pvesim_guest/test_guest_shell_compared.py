"""Scripts by kind of fault that the simulated shells once had, compared with the real dash and bash."""

import pytest

from tests.unit.pvesim_guest.real_shell import SH, run_real, run_simulated

EMPTY_LISTS = [
    'false; case x in x) ;; esac; echo "<$?>"',
    'false; case $(exit 4) in *) ;; esac; echo "<$?>"',
    "case x in x)\n;;\n*) echo no\n;;\nesac; echo $?",
    "case x in y) ;; *) echo a; esac",
    "case x in esac; echo $?",
    "echo a\n()",
    "( ); echo no",
    "{ }; echo no",
    "if true; then fi; echo no",
    "if; then :; fi; echo no",
    "for a in 1; do done; echo no",
    "f() { }; echo no",
    "while ; do :; done",
    ";",
    "echo a;; echo b",
    "echo $() ``a",
]
TRAPS = [
    "trap 'exit 5' EXIT; (exit 3)",
    "trap 'echo t$?; false; exit' EXIT; exit 3",
    "trap 'false' EXIT; (exit 3)",
    "trap 'echo t$?' EXIT; $(exit 3)",
    "trap 'echo t$?' EXIT; set -e; false; echo no",
    "x=$(trap 'echo t$?' EXIT; exit 3); echo $x $?",
    "(trap 'echo t$?' EXIT; exit 3); echo $?",
    "(trap 'echo t' EXIT; true) | cat",
    "{ trap 'echo t' EXIT; echo a; } | cat; echo b",
    "(trap 'echo t' EXIT; echo a) & wait; echo b",
    "trap 'echo t' EXIT; (true); sh -c 'echo a'",
    "trap 'echo t' EXIT; trap - EXIT; echo a",
    "trap 'echo t' EXIT; trap 0; echo a",
    "trap 'echo t' EXIT; trap EXIT; echo a",
    "trap 'echo t' EXIT; exec true",
]
FAILURES = [
    ": >/no/dir/f; echo $?",
    "x=1 : >/no/dir/f; echo $x $?",
    "exec >/no/dir/f; echo $?",
    "eval : >/no/dir/f; echo $?",
    "trap 'echo t$?' EXIT; : >/no/dir/f; echo a",
    "(: >/no/dir/f; echo a); echo $?",
    "true >/no/dir/f; echo $?",
    "{ echo a; } >/no/dir/f; echo $?",
    "f() { echo a; }; f >/no/dir/f; echo $?",
    "command : >/no/dir/f; echo $?",
    "shift 3 2>/dev/null || echo or",
    "f() { shift; echo a; }; f; echo b",
    "command shift 3; echo $?",
    ". /no/such/file; echo $?",
    "export a-b; echo $?",
    "exit abc",
    "/etc; echo $?",
    "(/no/such/file); echo $?",
    "set -- 1 2; shift 2; echo $? $#",
]
LOOPS = [
    "break; echo $?",
    "for a in 1 2; do break 5; done; echo $?",
    "for a in 1 2; do for b in 1 2; do break 5; done; echo no; done; echo $?",
    "for a in 1 2; do for b in 1 2; do continue 2; done; echo no; done; echo $?",
    "for a in 1 2; do while break; do :; done; echo $a; done; echo $?",
    "n=0; while [ $n -lt 3 ] && n=$((n+1)) && { [ $n != 2 ] || continue; }; do echo $n; done; echo $?",
    "for a in 1; do eval break; echo no; done; echo $?",
    "f() { break; echo a; }; for a in 1 2; do f; echo b; done",
    "f() { for b in 1; do break 2; done; echo a; }; for a in 1 2; do f; done",
    "for a in 1 2; do break | cat; echo $a; done",
    "for a in 1 2; do { break; } >/dev/null; echo no; done; echo $?",
    "false; for a in 1 2; do continue; done; echo $?",
]
SHOW = "printf '<%s>' "
FIELDS = [
    f"IFS=:; x='a::b:'; {SHOW}$x a:b \"$x\" $(echo c:d)",
    f"IFS=': '; x=' a : b:: c '; {SHOW}$x -$x-",
    f"IFS=; x='a b'; {SHOW}$x",
    f"IFS=:; x='a b'; unset IFS; {SHOW}$x",
    f"IFS=-; {SHOW}$((3-5))",
    f"IFS=:; x='a:'; {SHOW}$x'' ''$x",
    f"IFS=b; x=abc; {SHOW}$x ${{x#a}} ${{y:-abc}} a${{x}}c",
    f"x=' c d '; set -- a b; {SHOW}$1$x$2 \"$1\"$x\"$2\" $x$x",
    f'x=1; {SHOW}${{x:+a b}} "${{x:+a b}}" ${{x:+"a b" c}} ${{y:-"a b" c}}',
    f'IFS=:-; set -- a b; x=$*; {SHOW}"$*" "$@" $* $@ "$x" "${{y:-$*}}"',
    f'IFS=; set -- a b; {SHOW}"$*" $*',
    f"set -- '' a ''; {SHOW}$* x$@y \"$@\"",
    f"set -- 'a ' ' b'; {SHOW}-$@- -$*- \"-$@-\"",
    f"x='* ?'; set -f; {SHOW}$x [a]*",
    f'IFS=: read a b <<E\n1::3:\nE\n{SHOW}$? "$a" "$b"',
    f'IFS=: read a b <<E\n1:2:\nE\n{SHOW}$? "$a" "$b"',
    f"IFS=': ' read a b c <<E\n x : y  z:: w \nE\n{SHOW}\"$a\" \"$b\" \"$c\"",
    f"IFS=: read a b <<'E'\na\\:b:c\\\\\\\nd\nE\n{SHOW}\"$a\" \"$b\"",
    f"IFS=: read -r a b <<'E'\na\\:b:c\\\nd\nE\n{SHOW}\"$a\" \"$b\"",
    f"read a b c <<'E'\n \\ x y\\ z  w\\ v \nE\n{SHOW}\"$a\" \"$b\" \"$c\"",
    f"printf 'a b' | {{ read a b; {SHOW}$? \"$a\" \"$b\"; }}",
]  # fmt: skip


@pytest.mark.parametrize("script", [*EMPTY_LISTS, *TRAPS, *FAILURES, *LOOPS, *FIELDS])
@pytest.mark.parametrize(("shell", "real"), [("sh", SH), ("bash", "bash")], ids=("sh", "bash"))
def test_scripts_print_and_end_as_in_the_real_shell(script: str, shell: str, real: str) -> None:
    assert run_simulated(script, shell=shell) == run_real(script, shell=real)


@pytest.mark.parametrize(
    "script",
    [
        "echo $(( )); echo no",
        "x=$(( $(exit 3) )); echo no",
        "echo 'a\\tb\\cd'; echo e",
        'IFS=:; set -- a b; x=$@; echo "$x"',
        "f() { return abc; }; f; echo no",
        "unset 1a; echo no",
        "shift abc; echo no",
        "trap 'echo t$?' EXIT; echo ${x?}",
    ],
)
def test_sh_does_what_dash_alone_does(script: str) -> None:
    assert run_simulated(script) == run_real(script)
