"""`$?` of command substitutions, wherever they stand: compared with the real dash and bash.

dash, and BusyBox with it, leave `$?` as it is until a whole command has run; bash sets it after each substitution. In all of
them a command without a name has the status of its last substitution.
"""

import pytest

from tests.unit.pvesim_guest.real_shell import SH, run_real, run_simulated

SHOW = 'f() { echo "<$?>$1"; }\n'
WORDS = [
    'false; for a in x $(true) y$?; do echo "<$?>$a"; done',
    'true; for a in x "$(exit 3)"; do echo "<$?>$a"; done',
    'false; for a in $(true); do :; done; echo "<$?>"',
    'for a in $(false); do :; done; echo "<$?>"',
    'false; for a in; do :; done; echo "<$?>"',
    'false; for a in x `true`; do echo "<$?>"; done',
    'false; case $(true) in *) echo "<$?>"; esac',
    'true; case x$(exit 4) in $(exit 3)) echo no; ;; *$?) echo "matched<$?>"; ;; *) echo "<$?>"; esac',
    'case $(exit 3) in x) echo no; esac; echo "<$?>"',
    'false; echo "$?$(exit 3)$?$(true)$?" $?; echo $?',
    'false; echo "$(echo $?; exit 4)$(echo $?)"',
    "set -- $(exit 3) $?; echo $? $1",
    '[ "$(exit 3)$?" = 3 ]; echo $?',
    "true >/dev/null$(exit 3); echo $?",
    "echo ${z:=$(echo hi; exit 3)} $?; echo $? $z",
    "z=hia; echo ${z%$(echo a; exit 3)} $?",
    "echo $(( $(echo 1; exit 3) + $? ))",
]
NAMELESS = [
    "x=$(exit 3); echo $?",
    "false; x=$?; echo $? $x",
    "false; x=$?$(exit 4)$?; echo $? $x",
    "x=$(exit 3) y=$?; echo $? $y",
    "x=$(exit 3) y=$(true)$?; echo $? $y",
    "x=$(exit 3) y=1; echo $?",
    "x=`exit 3`y; echo $?",
    'x="a${y:-$(exit 5)}"; echo $?',
    'false; x="a${y:+$(exit 5)}"; echo $?',
    "x=${z=$(exit 3)}; echo $?",
    "z=hia; y=${z%$(echo a; exit 3)}; echo $?",
    "x=$(( $(echo 1; exit 5) + 1)); echo $? $x",
    "false; x=$(); echo $?",
    "false; x=$(eval ''); echo $?",
    "$(false); echo $?",
    "false; $(true); echo $?",
    "$(exit 3) $(exit 4) >/dev/null; echo $?",
    "x=1 $(exit 4); echo $?",
    "x=$(exit 3) $(exit 4); echo $?",
    "$(echo false); echo $?",
    ">/dev/null$(exit 3); echo $?",
    "false; >/dev/null; echo $?",
    "x=1 >/dev/null$(exit 4); echo $?",
    "false\n<<E\n$?$(exit 3)$?\nE\necho $?",
    'if $(exit 3); then echo "t$?"; else echo "e$?"; fi',
    "while $(exit 3); do :; done; echo $?",
    "! $(exit 3); echo $?",
    'x=$(exit 3) || echo "or$?"',
    "set -e; $(false); echo no",
    "set -e; >/dev/null$(false); echo no",
    "set -e; : $(false); echo yes",
]
COMMANDS = [
    f'{SHOW}f "$(exit 3)"',
    f'{SHOW}false; f "$(true)"',
    f'{SHOW}false; x=$(exit 4) f "$(true)"',
    f"{SHOW}f 2>/dev/null$(exit 4)",
    f"{SHOW}f <<E\n$(exit 3)\nE",
    "false\ncat <<E\n$?$(exit 3)$?\nE\necho $?",
    'false\n{ echo "<$?>"; } <<E\n$(exit 3)\nE',
    '{ echo "<$?>"; } 2>/dev/null$(exit 3)',
    "f() { return; }; f $(exit 3); echo $?",
    "f() { false; return $(exit 3); }; f; echo $?",
    "false; exit $(true)",
    "exit $(exit 3)",
    "x=$(exit 3) exit",
    "x=$(exit 3) export y; echo $?",
    "f() { local x=$(exit 3); echo $?; }; f",
    "false; eval; echo $?",
    'false; eval ""; echo $?',
    'eval "$(exit 3)"; echo $?',
    'false; eval "$(true)echo \\$?"',
    "false; . /dev/null; echo $?",
    "false; true & echo $?; wait",
    "(exit 3) & wait; echo $?",
    "(exit 3) & wait $!; echo $?",
]
ASSIGNMENTS = [
    "x=1; x=2 y=$x; echo $x $y",
    "x=1; x=2 y=$x sh -c 'echo $x $y'; echo $x",
    'x=1; f() { echo $x $y; sh -c "echo $x"; x=3; }; x=2 y=$x f; echo $x $y.',
    "x=1 command sh -c 'echo $x'; echo $x.",
    "x=1 exec sh -c 'echo $x'",
]


@pytest.mark.parametrize("script", [*WORDS, *NAMELESS, *COMMANDS, *ASSIGNMENTS])
@pytest.mark.parametrize(("shell", "real"), [("sh", SH), ("bash", "bash")], ids=("sh", "bash"))
def test_statuses_are_those_of_the_real_shell(script: str, shell: str, real: str) -> None:
    assert run_simulated(script, shell=shell) == run_real(script, shell=real)
