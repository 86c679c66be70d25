"""The simulated shell does what a real one does: generated scripts, compared with dash."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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


WORDS = st.one_of(
    LITERALS.map(quote),
    expansions().map(lambda one: f'"{one}"'),
    st.tuples(LITERALS, expansions()).map(lambda pair: f'"{pair[0]}{pair[1]}"'),
    st.integers(-9, 9).flatmap(lambda n: st.sampled_from("+-*").map(lambda sign: f'"$(({n} {sign} 3))"')),
    LITERALS.map(lambda text: f'"$(printf %s {quote(text)})"'),
    st.just('"$?"'),
    st.just('"$#"'),
    st.just('"$*"'),
)
SIMPLE = st.one_of(
    st.tuples(NAMES, WORDS).map(lambda pair: f"{pair[0]}={pair[1]}"),
    st.lists(WORDS, min_size=1, max_size=3).map(lambda words: "printf '<%s>' " + " ".join(words)),
    st.lists(WORDS, min_size=1, max_size=3).map(lambda words: "set -- " + " ".join(words)),
    st.tuples(WORDS, st.sampled_from(["=", "!="]), WORDS).map(lambda three: "[ {} {} {} ]".format(*three)),
    WORDS.map(lambda word: f"[ -n {word} ]"),
    st.sampled_from(["true", "false", ":", "set -- 1 2; shift", "(exit 3)", "unset a", "unset b"]),
    st.tuples(WORDS, NAMES).map(
        lambda pair: f"printf '%s\\n' {pair[0]} | {{ read -r {pair[1]}; printf '%s' \"${pair[1]}\"; }}"
    ),
    st.tuples(WORDS, NAMES).map(
        lambda pair: f"IFS= read -r {pair[1]} <<E\nx {{}}\nE\n".replace("{}", "${a}")
    ),
)


def compound(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, st.sampled_from(["&&", "||", ";", "\n"]), inner).map(
            lambda t: f"{t[0]} {t[1]} {t[2]}" if not t[0].endswith("\n") or t[1] == "\n" else f"{t[0]}{t[2]}"
        ),
        st.tuples(inner, inner, inner).map(lambda t: f"if {t[0]}\nthen {t[1]}\nelse {t[2]}\nfi"),
        st.tuples(WORDS, PATTERNS, inner, inner).map(
            lambda t: f"case {t[0]} in\n{t[1] or quote('')}) {t[2]}\n;;\n*) {t[3]}\n;;\nesac"
        ),
        st.tuples(NAMES, st.lists(WORDS, min_size=0, max_size=3), inner).map(
            lambda t: f"for {t[0]} in {' '.join(t[1])}\ndo {t[2]}\ndone"
        ),
        inner.map(lambda one: f"{{ {one}\n}}"),
        inner.map(lambda one: f"( {one}\n)"),
        inner.map(lambda one: f"! {{ {one}\n}}"),
        inner.map(lambda one: f"n=0; while [ $n -lt 2 ]\ndo n=$((n+1)); {one}\ndone"),
        inner.map(lambda one: f"f() {{ {one}\n}}\nf 1 '2 3'"),
    )


SCRIPTS = st.lists(st.recursive(SIMPLE, compound, max_leaves=5), min_size=1, max_size=4).map("\n".join)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(script=SCRIPTS)
def test_a_script_prints_and_ends_as_in_dash(script: str) -> None:
    assert run_simulated(script) == run_real(script)
