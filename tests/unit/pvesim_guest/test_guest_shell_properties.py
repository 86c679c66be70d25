"""The simulated shell does what a real one does: generated scripts, compared with dash."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.properties import count_examples
from tests.unit.pvesim_guest.real_shell import run_real, run_simulated

NAMES = st.sampled_from(["a", "b", "c"])
LITERALS = st.text(alphabet="ab1 *?.-_/:=", min_size=0, max_size=6)
PATTERNS = st.sampled_from(["a", "*", "?", "a*", "*b", "*.*", "[ab]", "[!a]*", ""])


def quote(text: str) -> str:
    return "'" + text + "'"


@st.composite
def expansions(draw: st.DrawFn) -> str:
    name, word = draw(NAMES), draw(st.sampled_from(["x", "y z", ""]))
    form = draw(
        st.sampled_from(
            [
                "${%s}",
                "${%s:-W}",
                "${%s-W}",
                "${%s:+W}",
                "${%s+W}",
                "${#%s}",
                "${%s#P}",
                "${%s##P}",
                "${%s%%P}",
                "${%s%%%%P}",
            ]
        )
    )
    text = form % name
    return text.replace("W", word).replace(
        "P", draw(st.sampled_from(["a", "*", "?", "a*", "*b", "*.", "*/"]))
    )


QUOTED = st.one_of(
    LITERALS.map(quote),
    expansions().map(lambda one: f'"{one}"'),
    st.tuples(LITERALS, expansions()).map(lambda pair: f'"{pair[0]}{pair[1]}"'),
    st.integers(-9, 9).flatmap(lambda n: st.sampled_from("+-*").map(lambda sign: f'"$(({n} {sign} 3))"')),
    LITERALS.map(lambda text: f'"$(printf %s {quote(text)})"'),
    st.sampled_from(['"$?"', '"$#"', '"$*"', '"$(exit 4)"', '"$(exit 4)$?"', '"$(echo $?; exit 5)"']),
)
# One word, or several, or none: file names never, by `set -f`.
WORDS = st.one_of(
    QUOTED,
    expansions(),
    st.tuples(LITERALS, expansions()).map(lambda pair: f"{quote(pair[0])}{pair[1]}"),
    st.sampled_from(
        ['"$@"', "$@", "$*", "$?", "$(true)", "$(exit 3)", "`exit 3`", "$()", "$(printf ' a:b  ')"]
    ),
)
SIMPLE = st.one_of(
    st.tuples(NAMES, WORDS).map(lambda pair: f"{pair[0]}={pair[1]}"),
    st.lists(WORDS, min_size=1, max_size=3).map(lambda words: "printf '<%s>' " + " ".join(words)),
    st.lists(WORDS, min_size=1, max_size=3).map(lambda words: "set -- " + " ".join(words)),
    st.tuples(QUOTED, st.sampled_from(["=", "!="]), QUOTED).map(lambda three: "[ {} {} {} ]".format(*three)),
    QUOTED.map(lambda word: f"[ -n {word} ]"),
    st.sampled_from(["true", "false", ":", "set -- 1 2; shift", "(exit 3)", "unset a", "unset b"]),
    st.sampled_from(
        ["break", "continue", "break 2", "exit 6", "return 7", "set -e", "set +e", "eval", "wait"]
    ),
    st.sampled_from(["IFS=:", "IFS='- '", "IFS=", "unset IFS", "trap 'printf %s $?' EXIT", "trap - EXIT"]),
    st.sampled_from(
        ["$(exit 3)", "$(exit 3) $(true)", ">/dev/null$(exit 3)", "a=$(exit 3) b=$?", "a=$(false) :"]
    ),
    st.tuples(NAMES, WORDS, NAMES, WORDS).map("{0[0]}={0[1]} {0[2]}={0[3]}".format),
    st.tuples(NAMES, WORDS).map(lambda pair: f"{pair[0]}={pair[1]} sh -c 'printf %s \"${pair[0]}\"'"),
    st.tuples(NAMES, WORDS).map(lambda pair: f"{pair[0]}={pair[1]} eval 'printf %s \"${pair[0]}$?\"'"),
    st.tuples(NAMES, WORDS).map(lambda pair: f"cat <<E\n$? ${pair[0]} $(exit 3)$?\nE\nprintf %s $?"),
    st.tuples(WORDS, NAMES).map(
        lambda pair: f"printf '%s\\n' {pair[0]} | {{ read -r {pair[1]}; printf '%s' \"${pair[1]}\"; }}"
    ),
    st.tuples(WORDS, NAMES).map(
        lambda pair: f"IFS= read -r {pair[1]} <<E\nx {{}}\nE\n".replace("{}", "${a}")
    ),
)


def loop_twice(keyword: str, condition: str, body: str) -> str:
    """A loop whose counter no loop inside of it uses."""
    counter = next(name for name in map("n{}".format, itertools.count()) if name not in condition + body)
    turn = f'[ "${counter}" -lt 2 ] && {{ {counter}=$(({counter}+1)); {condition}\n}}'
    return f"{{ {counter}=0; {keyword} {{ {turn}; }}\ndo {body}\ndone\n}}"


def compound(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, st.sampled_from(["&&", "||", ";", "\n"]), inner).map(
            lambda t: f"{t[0]} {t[1]} {t[2]}" if not t[0].endswith("\n") or t[1] == "\n" else f"{t[0]}{t[2]}"
        ),
        st.tuples(inner, inner, inner).map(lambda t: f"if {t[0]}\nthen {t[1]}\nelse {t[2]}\nfi"),
        st.tuples(WORDS, PATTERNS, inner, inner).map(
            lambda t: f"case {t[0]} in\n{t[1] or quote('')}) {t[2]}\n;;\n*) {t[3]}\n;;\nesac"
        ),
        st.tuples(WORDS, WORDS, inner).map(
            lambda t: f"case {t[0]} in\n{t[1]}) ;;\n'a'$(exit 3)|*) {t[2]}\n;;\nesac"
        ),
        st.tuples(NAMES, inner).map(lambda t: f"{t[0]}=$( {t[1]}\n)"),
        st.tuples(inner, inner).map(lambda t: f"printf '<%s>' $( {t[0]}\n) \"$( {t[1]}\n)\" $?"),
        st.tuples(NAMES, inner, inner).map(lambda t: f"for {t[0]} in x $( {t[1]}\n)\ndo {t[2]}\ndone"),
        st.tuples(inner, inner).map(lambda t: f"{{ {t[0]}\n}} | {{ cat; {t[1]}\n}}"),
        inner.map(lambda one: f"{{ {one}\n}} >/dev/null$(exit 3)"),
        st.tuples(st.sampled_from(["while", "until !"]), inner, inner).map(lambda t: loop_twice(*t)),
        st.tuples(NAMES, st.lists(WORDS, min_size=0, max_size=3), inner).map(
            lambda t: f"for {t[0]} in {' '.join(t[1])}\ndo {t[2]}\ndone"
        ),
        inner.map(lambda one: f"{{ {one}\n}}"),
        inner.map(lambda one: f"( {one}\n)"),
        inner.map(lambda one: f"! {{ {one}\n}}"),
        inner.map(lambda one: f"{{ f() {{ {one}\n}}\nf 1 '2 3'\n}}"),
        st.tuples(inner, WORDS).map(lambda t: f"{{ f() {{ {t[0]}\n}}\na=$? f {t[1]} $(exit 3) $?\n}}"),
    )


SCRIPTS = st.lists(st.recursive(SIMPLE, compound, max_leaves=5), min_size=1, max_size=4).map(
    lambda lines: "\n".join(["set -f", *lines])
)


@settings(max_examples=count_examples(200))
@given(script=SCRIPTS)
def test_a_script_prints_and_ends_as_in_dash(script: str) -> None:
    assert run_simulated(script) == run_real(script)
